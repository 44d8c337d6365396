/* api.h: the API for programs: the cameras and their state, health and readiness. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "server/http/http.h"

void api_handle_cameras(struct http_request *request); /* GET /api/v1/cameras?limit=&cursor= */
void api_handle_camera(struct http_request *request);  /* GET /api/v1/cameras/{id} */
void api_handle_restart(struct http_request *request); /* POST /api/v1/cameras/{id}/restart */
void api_handle_health(struct http_request *request);  /* GET /healthz */
void api_handle_ready(struct http_request *request);   /* GET /readyz */

#endif
