/* lease.pml: two workers, one camera: who encodes which frame, when workers are killed between any
 * two steps.
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
 * A dead worker may stay away for long (back-off), so its last wake-up must go to another: the
 * pool's bell rings after each death, also of one that held no lease, since it may have died before
 * its second look. */

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define WORKERS 2
#define FREE 255

hidden byte one_writer_in_the_jpeg_ring, jpeg_order_rises, pin_is_the_holders;
hidden byte newest_frame_is_not_stranded, lease_is_free_at_rest, accounts_balance;
inline must(holds, property) { if :: (holds) :: else -> assert(property) fi }

/* Shared memory */
byte head;      /* raw ring: newest frame */
byte row0;      /* raw frame that the camera's own row pins */
byte jpeg_head; /* JPEG ring: raw frame the newest JPEG was made from */
byte lease = FREE;
byte taken, finished, encoded, late, aborted;
byte bell;
bool asleep[WORKERS]; /* in FUTEX_WAIT */

bool release_waits[WORKERS]; /* in the store buffer */

/* What no process can see, but for the supervisor */
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
    do
    :: head < FRAMES ->
        head++;
        ring()
    :: else -> break
    od
}

/* ---- workers --------------------------------------------------------------------------------- */

inline look()
{
    before = taken;
    d_step { number = head; is_due = (number != before) }
}

/* Under the lease nobody else stores `taken`: when it is loaded makes no difference. */
inline look_under_lease() { d_step { before = taken; number = head; is_due = (number != before) } }

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

inline pass()
{
    worked = false;
    look();
    if
    :: d_step {
           /* it sees its own store, and a CAS overtakes none */
           is_due && (lease == FREE || release_waits[me]) ->
           release_waits[me] = false;
           lease = me;
           worked = true
       };
#ifndef NO_LOOK_UNDER_LEASE
       look_under_lease();
#endif
       if
       :: is_due -> take(); encode()
       :: else
       fi;
       release()
    :: !is_due || (lease != FREE && !release_waits[me])
    fi
}

proctype worker(byte me)
{
    byte seen, before, number;
    bool is_due, worked;
    do
    :: {
           do
           :: d_step { seen = bell; before = 0; number = 0; is_due = false };
              pass();
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
           seen = 0; before = 0; number = 0; is_due = false; worked = false
       };
end_dead:
       !dead[me]
    od
}

proctype store_buffers()
{
end:
    do
    :: d_step { release_waits[0] -> release_waits[0] = false; lease = (lease == 0 -> FREE : lease) }
    :: d_step { release_waits[1] -> release_waits[1] = false; lease = (lease == 1 -> FREE : lease) }
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
        lease = FREE;
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
    if
    :: d_step { dead[whose] -> dead[whose] = false; doomed[whose] = false }
    :: d_step { dead[whose] && !away[1 - whose] -> away[whose] = true }
    fi
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
