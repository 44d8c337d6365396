/* pin.pml: loan, commit, pins and copies, with writer and readers killed between any two steps.
 *
 * What stands for what
 *   writer, a life  ring_writer_open or lease_acquire, then ring_writer_takeover, then frames until
 *                   it is killed or done
 *   take_over       ring_writer_takeover: odd slots and slots beyond head become 0
 *   lend            ring_loan: choose_free (by default that of a JPEG ring), odd seq, fence,
 *                   pinned; or the old seq put back and the next slot tried
 *   fill            the payload, in two halves, so that a torn one shows
 *   publish         ring_commit up to the store of head; give_back: ring_loan_release of a loan
 *                   that was not committed
 *   pin_reader      row_claim, then ring_reader_acquire and ring_reader_release for ever
 *   copy_reader     ring_reader_copy
 *   reaper          ring_ctl_reap; that the row's lock keeps it off the living is row.pml's
 *                   business
 *
 * The ring is full at the start, and each reader may hold a head it read long ago, so few frames
 * are enough to reuse its slot.
 *
 * Memory. x86 (TSO) lets a processor's stores wait in a buffer, first in, first out, while its
 * later loads go ahead; nothing else is reordered. Dekker's argument fails by exactly that:
 *
 *     reader: pin = slot    fence    load seq          writer: seq = odd    fence    load pins
 *
 * A store that a fence follows before the next load of another's word is as good as one that
 * doesn't wait, so in the model only those stores wait whose fence a variant leaves out. All other
 * stores of the writer meet a fence first, wake_loops' or the next loan's.
 *
 * C11 says the same of seq_cst fences without naming a machine: they have one order. If the
 * reader's comes first, the writer's loads, which follow its own fence, see the pin or what the
 * reader stored later; if the writer's comes first, the reader sees odd or later. Both can't miss.
 * Release and acquire alone promise no such thing. What x86 does by itself C11 covers by pairs:
 * payload before seq = 2n (release) before head (release), each read with acquire; odd before
 * payload by the writer's fence, which is a release fence, too, against the copier's acquire fence
 * before its second look at seq. Whoever reads odd sees a newer head, too, as ring_reader_acquire
 * expects: wake_loops' fence stands between that head and the next odd. A kill loses no store that
 * was executed: buffers drain before anyone can learn of the death.
 *
 * Slots. Newest, being written and one a pin are enough if a released pin is gone from memory
 * before its reader loads head again. ring_reader_release promises release only, so in theory
 * (LAZY_RELEASE) a loan may meet one reader's old and next pin in the same scan: SPARE_SLOTS has
 * room for that, and beyond it a frame would be dropped and counted, never torn. */

#ifndef PINNERS
#define PINNERS 2
#endif
#ifndef FRAMES
#define FRAMES 2 /* beyond those the ring is full of at the start */
#endif
#ifndef WRITER_KILLS
#define WRITER_KILLS 1
#endif
#ifndef READER_KILLS
#define READER_KILLS 0
#endif
#ifndef SPARE
#define SPARE 0
#endif
#define SLOTS (2 + PINNERS + SPARE) /* newest, being written, one a pin */
#define LAST (SLOTS + FRAMES)
#define WRITING 1
#define NO_SLOT 255
#define NOTHING 255 /* no store is waiting */

/* Properties: each is named by the assertion that fails. */
hidden byte pinned_payload_stays, copy_is_whole, loan_never_fails;
hidden byte head_names_a_finished_slot, slot_holds_its_frame, no_false_alarm;
inline must(claim, property) { if :: (claim) :: else -> assert(property) fi }

/* Shared memory */
byte seq[SLOTS], left[SLOTS], right[SLOTS];
byte head, head_slot = NO_SLOT; /* one word */
byte pin[PINNERS];              /* 0, or slot + 1 */

/* What no process can see */
byte published[LAST + 1]; /* payload by frame number */
bool alive[PINNERS];      /* holds its row's lock */
bool writer_doomed, reader_doomed[PINNERS];
byte writer_kills = WRITER_KILLS, reader_kills = READER_KILLS;

/* What may be waiting in a store buffer: NOTHING, or the slot to become odd; NOTHING, or the value
 * of pin */
byte late_odd = NOTHING, late_pin[PINNERS] = NOTHING;

#define holds(slot, number) (left[slot] == published[number] && right[slot] == published[number])

inline check_slots()
{
    must(head == 0 || seq[head_slot] == 2 * head, head_names_a_finished_slot);
    i = 0;
    do
    :: i < SLOTS ->
        must(seq[i] == 0 || seq[i] % 2 || seq[i] > 2 * head || holds(i, seq[i] / 2),
            slot_holds_its_frame);
        i++
    :: else -> break
    od;
    i = 0
}

#if defined(NO_WRITER_FENCE) || defined(NO_READER_FENCE) || defined(LAZY_RELEASE)
#define STORES_WAIT
proctype store_buffers()
{
end:
    do
    :: d_step { late_odd != NOTHING -> seq[late_odd] = WRITING; late_odd = NOTHING }
    :: d_step { late_pin[0] != NOTHING -> pin[0] = late_pin[0]; late_pin[0] = NOTHING }
#if PINNERS > 1
    :: d_step { late_pin[1] != NOTHING -> pin[1] = late_pin[1]; late_pin[1] = NOTHING }
#endif
    od
}
#endif

/* ---- writer ---------------------------------------------------------------------------------- */

inline take_over()
{
#ifdef NO_TAKEOVER
    skip
#else
    do
    :: d_step {
           slot = 0;
           do
           :: slot < SLOTS && !(seq[slot] % 2) && seq[slot] <= 2 * head -> slot++
           :: else -> break
           od
       };
       if
       :: d_step { slot < SLOTS -> seq[slot] = 0 }
       :: else -> break
       fi
    od
#endif
}

#ifdef LEND_NEWEST
#define is_free(i) !tried[i]
#else
#define is_free(i) i != head_slot && !tried[i]
#endif

#ifdef RAW
#define is_better(i) seq[i] > seq[slot]
#else
#define is_better(i) seq[i] < seq[slot]
#endif

inline choose_free()
{
    slot = NO_SLOT;
    do
    :: i < SLOTS ->
        if
        :: is_free(i) && (slot == NO_SLOT || is_better(i)) -> slot = i
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline lend()
{
    do
    :: d_step {
           choose_free();
           must(slot != NO_SLOT, loan_never_fails);
           before = seq[slot];
#ifdef NO_WRITER_FENCE
           late_odd = slot
#else
           seq[slot] = WRITING
#endif
       };
       do
       :: d_step { i < PINNERS -> is_pinned = is_pinned || pin[i] == slot + 1; i++ }
       :: else -> i = 0; break
       od;
#ifdef NO_WRITER_FENCE
       late_odd == NOTHING; /* at the latest before its next store */
#endif
       if
       :: !is_pinned -> break
       :: d_step {
              is_pinned ->
#ifdef TAKE_BACK_WRONG
              seq[slot] = 2 * (head + 1);
#else
              seq[slot] = (before % 2 -> 0 : before);
#endif
              tried[slot] = true;
              is_pinned = false;
              check_slots()
          }
       fi
    od
}

inline fill()
{
    d_step { forget(); left[slot] = (head + 1) * 4 + life };
    right[slot] = left[slot]
}

inline forget()
{
    i = 0;
    do
    :: i < SLOTS -> tried[i] = false; i++
    :: else -> break
    od;
    i = 0;
    before = 0;
    is_pinned = false
}

inline store_head()
{
    d_step { head++; head_slot = slot; published[head] = left[slot]; check_slots() }
}

inline publish()
{
#ifdef HEAD_BEFORE_SEQ
    store_head();
    seq[slot] = 2 * head
#else
    seq[slot] = 2 * (head + 1);
    store_head()
#endif
}

inline give_back() { seq[slot] = 0 }

proctype writer()
{
    bool tried[SLOTS], is_pinned;
    byte slot, before, i, life;
    do
    :: {
           take_over();
           do
           :: head < LAST ->
               lend();
               fill();
               if
               :: publish()
               :: life == 0 -> give_back()
               fi
           :: else -> goto done
           od
       } unless { writer_doomed };
       d_step { late_odd == NOTHING -> writer_doomed = false; life++; slot = 0; forget() }
    od;
done:
    skip
}

/* ---- readers --------------------------------------------------------------------------------- */

/* What a reader that was stopped long ago read from head when that frame was the newest. */
inline remember_a_head()
{
    d_step { number = 1; slot = 0 };
    do
    :: number < SLOTS -> d_step { number++; slot++ }
    :: break
    od
}

inline unpin()
{
#ifdef LAZY_RELEASE
    d_step { late_pin[me] == NOTHING -> late_pin[me] = 0 }
#else
    d_step { late_pin[me] == NOTHING -> pin[me] = 0 }
#endif
}

inline read_head() { d_step { head > last -> number = head; slot = head_slot } }

proctype pin_reader(byte me)
{
    byte number, slot, last;
    remember_a_head();
    do
    :: {
           do
           ::
#ifdef NO_READER_FENCE
              d_step { late_pin[me] == NOTHING -> late_pin[me] = slot + 1 };
#else
              d_step { late_pin[me] == NOTHING -> pin[me] = slot + 1 };
#endif
              if
              :: seq[slot] == 2 * number ->
                  last = number;
                  must(holds(slot, number), pinned_payload_stays);
                  unpin()
              :: else ->
                  unpin();
                  must(head != number, no_false_alarm)
              fi;
end:          read_head()
           od
       } unless { reader_doomed[me] };
       d_step { late_pin[me] == NOTHING -> alive[me] = false; reader_doomed[me] = false;
           number = 0; slot = 0 };
       d_step { alive[me] = true; pin[me] = 0; last = head }; /* row_claim */
end_new:
       read_head()
    od
}

#ifdef COPIER
proctype copy_reader()
{
    byte number, slot, first, second;
    remember_a_head();
    do
    :: if
       :: seq[slot] == 2 * number ->
           first = left[slot];
#ifdef COPY_FENCE_TOO_EARLY
           if
           :: seq[slot] == 2 * number ->
               second = right[slot];
               must(first == published[number] && second == first, copy_is_whole)
           :: else
           fi;
#else
           second = right[slot];
           if
#ifdef NO_SECOND_LOOK
           :: true ->
#else
           :: seq[slot] == 2 * number ->
#endif
               must(first == published[number] && second == first, copy_is_whole)
           :: else
           fi;
#endif
           d_step { first = 0; second = 0 }
       :: else
       fi;
end:   d_step { head > number -> number = head; slot = head_slot }
    od
}
#endif

/* ---- reaper and killer ----------------------------------------------------------------------- */

#ifdef REAP_ON_TIMEOUT
#define may_reap(row) pin[row] != 0
#else
#define may_reap(row) pin[row] != 0 && !alive[row]
#endif

proctype reaper()
{
end:
    do
    :: d_step { may_reap(0) -> pin[0] = 0 }
#if PINNERS > 1
    :: d_step { may_reap(1) -> pin[1] = 0 }
#endif
    od
}

proctype killer()
{
end:
    do
    :: d_step { writer_kills > 0 && !writer_doomed -> writer_kills--; writer_doomed = true }
    :: d_step { reader_kills > 0 && alive[0] && !reader_doomed[0] -> reader_kills--;
        reader_doomed[0] = true }
#if PINNERS > 1
    :: d_step { reader_kills > 0 && alive[1] && !reader_doomed[1] -> reader_kills--;
        reader_doomed[1] = true }
#endif
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < SLOTS -> seq[i] = 2 * (i + 1); left[i] = i + 1; right[i] = i + 1;
            published[i + 1] = i + 1; i++
        :: else -> break
        od;
        head = SLOTS;
        head_slot = SLOTS - 1;
        alive[0] = true;
        run pin_reader(0);
#if PINNERS > 1
        alive[1] = true;
        run pin_reader(1);
#endif
#ifdef COPIER
        run copy_reader();
#endif
#ifdef STORES_WAIT
        run store_buffers();
#endif
        run writer();
        run reaper();
        run killer()
    }
}
