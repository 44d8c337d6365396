/* bell.pml: nobody sleeps for ever on a frame that is there, on the ring's futex or (EVENT_LOOP) in
 * an event loop, though the writer is killed between any two steps.
 *
 * What stands for what
 *   publish         ring_commit from the store of head on
 *   ring            bell_ring: add one, then FUTEX_WAKE everybody
 *   wake_loops      wake_loops: the fence, then a row's waker, then bell_signal
 *   waiter          ring_reader_listen, a look at head and closed, ring_reader_wait, as in
 *                   camring_next
 *   loop            ring_reader_want, then a look; at each wake bell_drain, then a look. When it is
 *                   killed its row is reaped; the next life has the same eventfd, which goes with
 *                   the server's number
 *   supervisor      recover_encoder and recover_capture: ring_ctl_ring and a bell_signal to every
 *                   loop, before the next life of the writer; with CLOSES, in the end, ring_unlink:
 *                   closed, then the bell
 *
 * Memory. The futex needs no fence beyond bell_ring's read-modify-write: FUTEX_WAIT compares the
 * bell again, in the kernel, with a value read before the look. Whoever looked too early finds
 * another value, whoever looked late enough finds the frame. The loop's wish and the writer's head
 * are Dekker's case again, hence a fence between store and load on both sides; either store may
 * wait in a store buffer until then. EVENT_LOOP has no futex bell, since on x86 the bell's locked
 * add would hide a missing fence in wake_loops; other processors give no such present. */

#ifndef FRAMES
#define FRAMES 4
#endif
#ifndef WRITER_KILLS
#define WRITER_KILLS 3
#endif
#ifndef LOOP_KILLS
#define LOOP_KILLS 1
#endif
#ifndef WISHES
#define WISHES 2 /* how often a loop asks to be woken */
#endif
#define WAITERS 2

hidden byte nobody_sleeps_on_a_newer_frame, nobody_sleeps_on_a_closed_ring;
inline must(holds, property) { if :: (holds) :: else -> assert(property) fi }

/* Shared memory and kernel */
byte head, bell;
bool closed, asleep[WAITERS];
bool waker, signalled; /* the loop's wish, its eventfd */

bool head_waits, waker_waits, waker_value; /* in store buffers */

/* What no process can see, but for the supervisor */
bool doomed, dead, loop_doomed, finished;
byte kills = WRITER_KILLS, loop_kills = LOOP_KILLS;
byte last[WAITERS];

/* ---- writer ---------------------------------------------------------------------------------- */

inline wake_all() { d_step { asleep[0] = false; asleep[1] = false } }

inline ring()
{
#ifdef WAKE_BEFORE_ADD
    wake_all();
    bell++
#else
    bell++;
    wake_all()
#endif
}

inline wake_loops()
{
#ifndef COMMIT_WITHOUT_FENCE
    !head_waits;
#endif
    if
    :: waker -> signalled = true
    :: !waker
    fi
}

inline publish()
{
#ifdef EVENT_LOOP
    d_step { !head_waits -> head_waits = true };
    wake_loops()
#else
    head++;
    ring()
#endif
}

proctype writer()
{
    do
    :: {
           do
           :: head + head_waits < FRAMES -> publish()
           :: head + head_waits == FRAMES -> break
           od;
           finished = true;
end:       false
       } unless { doomed };
       d_step { !head_waits -> doomed = false; dead = true };
       !dead /* the next life begins after the supervisor has seen to the last one's death */
    od
}

/* ---- readers --------------------------------------------------------------------------------- */

/* ring_reader_head and ring_reader_closed; whoever finds the ring closed looks once more. */
inline look()
{
    if
    :: d_step { head > last[me] -> last[me] = head }; goto again
    :: head == last[me]
    fi;
    if
    :: closed -> last[me] = head; goto done
    :: !closed
    fi
}

#ifndef EVENT_LOOP
proctype waiter(byte me)
{
    byte seen;
again:
#ifdef LOOK_BEFORE_READ
    look();
    seen = bell;
#else
    seen = bell;
    look();
#endif
    if
    :: d_step { bell == seen -> asleep[me] = true };
end_asleep:
       !asleep[me]
    :: bell != seen
    fi;
    goto again;
done:
    skip
}
#else

inline want(wish)
{
    d_step { !waker_waits -> waker_waits = true; waker_value = wish };
#ifndef WANT_WITHOUT_FENCE
    !waker_waits
#endif
}

proctype loop()
{
    byte wishes;
    bool wants;
    do
    :: {
end:       do
           :: d_step { !wants && wishes < WISHES -> wishes++; wants = true };
              want(true);
#ifndef NO_LOOK_AFTER_WANT
              last[0] = head
#endif
           :: d_step { wants && wishes < WISHES -> wants = false };
              want(false)
           :: signalled ->
#ifdef DRAIN_AFTER_LOOK
              last[0] = head;
              signalled = false
#else
              signalled = false;
              last[0] = head
#endif
           od
       } unless { loop_doomed };
       d_step { !waker_waits -> loop_doomed = false; wants = false; wishes = 0 };
       /* reaped; the next life has the same eventfd and has seen nothing */
       d_step { waker = false; last[0] = 0 }
    od
}

proctype store_buffers()
{
end:
    do
    :: d_step { head_waits -> head_waits = false; head++ }
    :: d_step { waker_waits -> waker_waits = false; waker = waker_value }
    od
}

#endif

/* ---- supervisor ------------------------------------------------------------------------------ */

proctype supervisor()
{
end:
    do
    :: dead ->
#ifndef NO_RING_FOR_DEAD
#ifdef EVENT_LOOP
       signalled = true;
#else
       ring();
#endif
#endif
       dead = false
#ifdef CLOSES
    :: d_step { finished && !closed -> closed = true };
#ifndef CLOSE_WITHOUT_RING
       ring()
#endif
#endif
    od
}

proctype killer()
{
end:
    do
    :: d_step { kills > 0 && !doomed && !dead && !finished -> kills--; doomed = true }
#ifdef EVENT_LOOP
    :: d_step { loop_kills > 0 && !loop_doomed -> loop_kills--; loop_doomed = true }
#endif
    od
}

proctype at_rest()
{
    timeout;
#ifdef EVENT_LOOP
    must(!waker || last[0] == head, nobody_sleeps_on_a_newer_frame)
#else
    must(last[0] == head && last[1] == head, nobody_sleeps_on_a_newer_frame);
    must(!closed || (!asleep[0] && !asleep[1]), nobody_sleeps_on_a_closed_ring)
#endif
}

init
{
    atomic {
        run writer();
#ifdef EVENT_LOOP
        run loop();
        run store_buffers();
#else
        run waiter(0);
        run waiter(1);
#endif
        run supervisor();
        run killer();
        run at_rest()
    }
}
