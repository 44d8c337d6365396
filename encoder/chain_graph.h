/* chain_graph.h: steps of a chain that libavfilter does, as one of its graphs. */
#ifndef CAMRING_ENCODER_CHAIN_GRAPH_H
#define CAMRING_ENCODER_CHAIN_GRAPH_H

#include "common/conf_chain.h"
#include "common/error.h"

#include <libavutil/frame.h>

struct chain_graph;

/* Steps `first` to before `end` of the chain; fonts[i] is the file for step i, if that is a text.
 * Both stay the caller's.  NULL: out of memory. */
struct chain_graph *chain_graph_create(const struct conf_chain *chain, const char *const *fonts,
                                       unsigned first, unsigned end);
void chain_graph_destroy(struct chain_graph *graph);

/* Makes the filters of one step, without a picture.  -1 with err: it can't be right, whatever goes
 * in. */
int chain_graph_check(const struct conf_chain *chain, const char *const *fonts, unsigned step,
                      struct error *err);

/* Puts the picture in, which becomes empty, and the newest that comes out into `out`.  1: there is
 * one; 0: none; -1 with err, whose code is a CHAIN_PLACE.  The graph is made anew when size,
 * format, range, matrix or the shape of pixels differ from the last picture's.  What comes out has
 * the same format, or another that rings have if the last filter is `format`. */
int chain_graph_run(struct chain_graph *graph, AVFrame *in, AVFrame *out, struct error *err);

/* Lets go of all pictures it holds; the next one is as if it were the first. */
void chain_graph_forget(struct chain_graph *graph);

#endif
