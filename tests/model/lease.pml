/* lease.pml: two workers, one camera: who encodes which frame, when workers are killed between any
 * two steps. With REUSES also: the camera leaves its place on the board and another one gets it.
 *
 * What stands for what
 *   capture         ring_commit into the raw ring (head), then bell_ring(pool bell, 1)
 *   worker          pool_run: bell_read, a pass, bell_wait if there was nothing to do
 *   pass            camera_work: is_due, lease_acquire, take_newest, lease_release
 *   look            is_due: `taken` is loaded before head, outside the lease and again under it
 *   take            ring_reader_acquire with row 0, which goes with the lease; take() of
 *                   encoder/camera.c: `taken`, then `late`
 *   encode          ring_writer_takeover, ring_loan, jpeg_encode, ring_commit,
 *                   board_count(encoded), unpin, finish()
 *   release         lease_release: the store may wait in a store buffer until the fence that
 *                   follows
 *   messages        take_messages: MSG_CAMERA_GONE, answered when the camera's job is gone, and
 *                   MSG_CAMERA
 *   bury            recover_encoder, once the worker is dead: row 0, book_unfinished, lease_reset,
 *                   then the pool's bell
 *
 * Of all the worker's stores only lease_release's may wait (TSO): it alone is followed by a load of
 * another's word, head, that must not overtake it. A worker turned away by a lease had seen the
 * head it came for. By the fence either it finds the lease free, or the holder, at its second look,
 * sees that head. FUTEX_WAIT is not taken for a fence.
 *
 * The accounts. `taken` is stored before anything is counted, so what is taken and in no counter is
 * what the dead worker had in hand: the supervisor books one frame as aborted and the rest as late
 * (book_unfinished). Each raw frame is in one counter, whatever step the worker was killed at.
 *
 * The variants' lease (encoder/variants.c) follows the same protocol with other words, and what is
 * shown here holds for it as it stands: `taken` is a slot's variant_done, compared with the newest
 * picture and with what is wanted of it, and stored before the picture is touched; a server that
 * joins does what capture does here, one store and then the bell; `booked` against `taken` are
 * variant_encoded + variant_failed against variant_taken, with whatever was in hand booked as
 * failed. There is no row 0: the picture is copied, not pinned. Nor does the one lease wait for the
 * other.
 *
 * A place that is used again (board.h). `epoch` is the place's and that in the lease's word. A
 * camera is left when its capture has ended and each worker that knew it has answered or is dead:
 * so no worker has the lease, and none writes to the counters, when the next camera gets them at
 * zero. The epoch is what protects the next camera from a worker of the last one that is still on
 * its way to the lease (EARLY_ANSWER: it answers before it tries; the program doesn't do that):
 * whether it was stopped before it loaded the lease's word or between that and its
 * compare-and-swap, it doesn't get the lease.
 *
 * A dead worker may stay away for long (back-off), so its last wake-up must go to another: the
 * pool's bell rings after each death, also of one that held no lease, since it may have died before
 * its second look. */

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef REUSES
#define REUSES 0 /* of the place */
#endif
#define WORKERS 2
#define FREE 255

hidden byte one_writer_in_the_jpeg_ring, jpeg_order_rises, pin_is_the_holders;
hidden byte newest_frame_is_not_stranded, lease_is_free_at_rest, accounts_balance;
hidden byte lease_is_of_its_camera, place_is_given_on;
inline must(holds, property) { if :: (holds) :: else -> assert(property) fi }

/* Shared memory */
byte head;      /* raw ring: newest frame */
byte row0;      /* raw frame that the camera's own row pins */
byte jpeg_head; /* JPEG ring: raw frame the newest JPEG was made from */
byte lease = FREE;
byte taken, finished, encoded, late, aborted;
byte bell;
bool asleep[WORKERS]; /* in FUTEX_WAIT */
byte epoch = 1;       /* odd: a camera has the place */

bool release_waits[WORKERS]; /* in the store buffer */

bool changed[WORKERS]; /* the lease's word, since that worker loaded it */
byte known[WORKERS] = 1; /* the camera that the worker has a job for, by its epoch; 0: none */
bool owes[WORKERS];      /* it was told that the camera goes, and has not answered */

/* What no process can see, but for the supervisor */
bool captures = true, stop_capture, leaving;
byte reuses = REUSES;
bool writing[WORKERS];
bool doomed[WORKERS], dead[WORKERS];
bool away[WORKERS]; /* dead, and not started again before everything else has come to rest */
byte kills = KILLS;

/* ---- bell ------------------------------------------------------------------------------------ */

/* FUTEX_WAKE of one waiter: any. */
inline wake_one()
{
    if
    :: d_step { asleep[0] -> asleep[0] = false }
    :: d_step { asleep[1] -> asleep[1] = false }
    :: d_step { !asleep[0] && !asleep[1] -> skip }
    fi
}

inline ring()
{
    bell++;
    wake_one()
}

/* FUTEX_WAIT: the comparison and falling asleep are one step of the kernel. */
inline wait()
{
    if
    :: d_step { bell == seen -> asleep[me] = true };
end_asleep:
       !asleep[me]
    :: bell != seen
    fi
}

/* ---- capture --------------------------------------------------------------------------------- */

proctype capture()
{
end:
    do
    :: captures && head < FRAMES ->
        head++;
        ring()
    :: d_step { captures && stop_capture -> captures = false; stop_capture = false }
    od
}

/* ---- workers --------------------------------------------------------------------------------- */

inline look()
{
    before = taken;
    /* a camera that has gone has rings of its own, in which there may be anything */
    d_step { number = head; is_due = (number != before || known[me] != epoch) }
}

/* Under the lease nobody else stores `taken`: when it is loaded makes no difference. */
inline look_under_lease() { d_step { before = taken; number = head; is_due = (number != before) } }

inline set_lease(holder)
{
    lease = holder;
#if REUSES
    changed[0] = true;
    changed[1] = true
#endif
}

inline release()
{
    d_step { must(lease == me, one_writer_in_the_jpeg_ring); release_waits[me] = true };
#ifndef NO_RELEASE_FENCE
    !release_waits[me]
#endif
}

inline take()
{
    d_step { number = head; row0 = number };
#ifdef LATE_BEFORE_TAKEN
    late = late + number - before - 1;
    taken = number
#else
#ifndef TAKEN_LAST
    taken = number;
#endif
    late = late + number - before - 1
#endif
}

inline encode()
{
    d_step { must(!writing[1 - me], one_writer_in_the_jpeg_ring); writing[me] = true };
    d_step { must(!writing[1 - me], one_writer_in_the_jpeg_ring); must(row0 == number,
        pin_is_the_holders) };
    d_step {
        must(!writing[1 - me], one_writer_in_the_jpeg_ring);
        must(number > jpeg_head, jpeg_order_rises);
        jpeg_head = number;
        writing[me] = false
    };
    encoded++;
    row0 = 0;
#ifdef TAKEN_LAST
    taken = number;
#endif
    finished = number
}

/* Messages are taken between two passes. */
inline answer()
{
    d_step { owes[me] -> owes[me] = false; known[me] = 0 }
}

inline messages()
{
    if
    :: answer()
    :: !owes[me]
    fi;
    if
    :: d_step { !owes[me] && !leaving && epoch % 2 -> known[me] = epoch }
    :: owes[me] || leaving || epoch % 2 == 0
    fi;
    mine = known[me]
}

inline maybe_answer()
{
#ifdef EARLY_ANSWER
    if
    :: answer()
    :: true
    fi
#else
    skip
#endif
}

#ifdef NO_EPOCH
#define is_mine true
#else
#define is_mine (epoch == mine)
#endif

/* It sees its own store that waits, which the swap does not overtake. */
#if REUSES == 0
/* That the swap fails after the word has changed and is free again need not be looked at: whoever
 * released it since looks at head once more, later than this worker did. */
inline acquire()
{
    if
    :: d_step { lease == FREE || release_waits[me] ->
           release_waits[me] = false;
           lease = me;
           worked = true
       }
    :: lease != FREE && !release_waits[me]
    fi
}
#else
inline acquire()
{
    maybe_answer();
    if
    :: d_step { (lease == FREE || release_waits[me]) && is_mine -> changed[me] = false };
        maybe_answer();
        if
        :: d_step {
#ifdef SWAP_COMPARES_WORKER
               lease == FREE || release_waits[me] ->
#else
               !changed[me] ->
#endif
               release_waits[me] = false;
               set_lease(me);
               must(mine == epoch, lease_is_of_its_camera);
               worked = true
           }
        :: d_step {
#ifdef SWAP_COMPARES_WORKER
               lease != FREE && !release_waits[me] ->
#else
               changed[me] ->
#endif
               changed[me] = false }
        fi
    :: (lease != FREE && !release_waits[me]) || !is_mine
    fi
}
#endif

inline pass()
{
    worked = false;
    look();
    if
    :: is_due -> acquire()
    :: else
    fi;
    if
    :: worked ->
#ifndef NO_LOOK_UNDER_LEASE
        look_under_lease();
#endif
        if
        :: is_due -> take(); encode()
        :: else
        fi;
        release()
    :: else
    fi
}

proctype worker(byte me)
{
    byte seen, before, number, mine;
    bool is_due, worked;
    do
    :: {
           do
           :: d_step { seen = bell; before = 0; number = 0; is_due = false };
#if REUSES
              messages();
              if
              :: mine -> pass()
              :: else -> worked = false
              fi;
#else
              pass();
#endif
              if
#ifdef NO_SECOND_LOOK
              :: worked -> seen = bell; wait()
#else
              :: worked
#endif
              :: !worked -> wait()
              fi
           od
       } unless { doomed[me] };
       d_step {
           !release_waits[me] ->
           dead[me] = true;
           asleep[me] = false;
           writing[me] = false;
           mine = 0; changed[me] = false;
           seen = 0; before = 0; number = 0; is_due = false; worked = false
       };
end_dead:
       !dead[me]
    od
}

/* The worker that loaded its own store early sees no change by it. */
inline drain(whose)
{
    release_waits[whose] = false;
    if
    :: lease == whose ->
        lease = FREE;
#if REUSES
        changed[1 - whose] = true
#endif
    :: else
    fi
}

proctype store_buffers()
{
end:
    do
    :: d_step { release_waits[0] -> drain(0) }
    :: d_step { release_waits[1] -> drain(1) }
    od
}

/* ---- supervisor ------------------------------------------------------------------------------ */

#define booked (encoded + late + aborted)

inline book_unfinished()
{
    if
    :: finished < taken ->
#ifndef ONE_ABORTED
        if
        :: booked < taken -> late = late + taken - booked - 1; aborted++
        :: booked >= taken
        fi;
#else
        aborted++;
#endif
        finished = taken
    :: finished >= taken
    fi
}

inline bury()
{
    if
    :: lease == whose ->
#ifndef ROW_AFTER_RESET
        row0 = 0;
#endif
        book_unfinished();
        d_step { set_lease(FREE) };
#ifdef ROW_AFTER_RESET
        row0 = 0;
#endif
#ifdef BELL_ONLY_IF_HELD
        ring()
#endif
    :: lease != whose
    fi;
#if !defined(NO_BELL_AFTER_DEATH) && !defined(BELL_ONLY_IF_HELD)
    ring();
#endif
    d_step { owes[whose] = false; known[whose] = 0 };
    if
    :: d_step { dead[whose] -> dead[whose] = false; doomed[whose] = false }
    :: d_step { dead[whose] && !away[1 - whose] -> away[whose] = true }
    fi
}

/* Each line: who has one owes an answer. */
inline remove_camera()
{
    d_step {
        reuses--;
        leaving = true;
        stop_capture = true;
        owes[0] = !away[0];
        owes[1] = !away[1]
    };
    wake_all()
}

/* A message that is put in a worker's box. */
inline wake_all()
{
    d_step { bell++; asleep[0] = false; asleep[1] = false }
}

#ifdef NO_ANSWERS
#define is_known captures
#elif defined(EARLY_ANSWER)
#define is_known (captures || owes[0] || owes[1] || lease != FREE)
#else
#define is_known (captures || owes[0] || owes[1])
#endif

inline leave() { must(lease == FREE, lease_is_of_its_camera); set_lease(FREE); epoch++ }

inline give_place_on()
{
    d_step {
        head = 0; row0 = 0; jpeg_head = 0;
        taken = 0; finished = 0; encoded = 0; late = 0; aborted = 0;
        set_lease(FREE);
        epoch++
    };
    d_step { leaving = false; captures = true };
    wake_all()
}

proctype supervisor()
{
    byte whose;
end:
    do
    :: d_step {
           if
#ifdef RESET_BEFORE_DEATH
           :: doomed[0] && !away[0] -> whose = 0
           :: (!doomed[0] || away[0]) && doomed[1] && !away[1] -> whose = 1
#else
           :: dead[0] && !away[0] -> whose = 0
           :: (!dead[0] || away[0]) && dead[1] && !away[1] -> whose = 1
#endif
           fi
       };
       bury()
    :: reuses > 0 && !leaving -> remove_camera()
    :: d_step { leaving && !is_known -> leave() }; give_place_on()
    od
}

proctype killer()
{
end:
    do
    :: d_step { kills > 0 && !doomed[0] -> kills--; doomed[0] = true }
    :: d_step { kills > 0 && !doomed[1] -> kills--; doomed[1] = true }
    od
}

proctype at_rest()
{
    timeout;
    must(reuses == 0 && !leaving, place_is_given_on);
    must(taken == head && finished == head, newest_frame_is_not_stranded);
    must(lease == FREE && row0 == 0, lease_is_free_at_rest);
    must(booked == head, accounts_balance)
}

init
{
    atomic {
        run worker(0);
        run worker(1);
        run store_buffers();
        run capture();
        run supervisor();
        run killer();
        run at_rest()
    }
}
