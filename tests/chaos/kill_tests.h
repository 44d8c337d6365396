/* kill_tests.h: the tests by what dies, and the actors and checks that the supervisor's tests
 * borrow from the others. */
#ifndef CHAOS_KILL_TESTS_H
#define CHAOS_KILL_TESTS_H

#include <stdbool.h>
#include <stdint.h>

void a_writer_of_a_new_ring(void **state);
void a_writer_after_another(void **state);
void a_writer_that_grows(void **state);
void a_writer_that_gives_slots_back(void **state);
void a_capture_that_passes_through(void **state);
void a_producer_of_its_own(void **state);
void kill_writer_act(void);
void kill_writer_check(void);

void a_reader_that_pins(void **state);
void a_reader_that_takes_several(void **state);
void a_reader_that_copies(void **state);
void kill_reader_act(void);
void kill_taker_act(void);

void an_encoder(void **state);
void an_encoder_while_a_frame_waits(void **state);
void an_encoder_with_a_chain(void **state);
void an_encoder_with_a_chain_for_viewers(void **state);
/* The camera has a chain from the next kill_encoder_begin on, and `ring` is what is followed; NULL:
 * it has none. */
void kill_encoder_use_chain(const char *ring);
/* The same, with a program of the user's in the chain, between two filters or alone. */
void kill_encoder_use_program(bool with_filters);
void kill_encoder_begin(void);
void kill_encoder_act(void);
void kill_encoder_serve(char what); /* as stage_serve_frames; 'r': the program returns the newest */
void kill_encoder_strand(void);
void kill_encoder_check(void); /* and the end of the stage */

void an_encoder_with_a_program(void **state);
void an_encoder_with_a_program_between_filters(void **state);
void a_program_that_returns_pictures(void **state);
/* The test's own program, where the chain has one. */
void kill_program_begin(void);
void kill_program_answer(uint64_t number); /* if a worker has taken that raw frame */
void kill_program_end(void);

void a_worker_that_makes_variants(void **state);
void a_worker_that_makes_variants_while_a_frame_waits(void **state);
void a_server_that_asks_for_variants(void **state);
void a_supervisor_that_recovers_variants(void **state);

void a_supervisor_that_recovers_an_encoder(void **state);
void a_supervisor_that_recovers_an_encoder_with_a_chain(void **state);
void a_supervisor_that_recovers_an_encoder_with_a_program(void **state);
void a_supervisor_that_recovers_a_capture(void **state);
void a_supervisor_that_recovers_a_reader(void **state);
void a_supervisor_that_recovers_a_reader_of_several(void **state);
void a_supervisor_that_starts(void **state);

void a_worker_whose_place_is_used_again(void **state);

#endif
