/* slots.pml: slots get memory when a reader takes a row and lose it when the reader has left, with
 * writer and readers killed between any two steps.
 *
 * What stands for what
 *   take_row        row_claim: row_lock, row_fill; and ring_slots_provide, which may find no memory
 *   read_frame      ring_reader_acquire, ring_reader_hold now and then, ring_reader_release; what
 *                   is held is looked at after that
 *   leave_row       ring_reader_close: row_forget (what was held is the process's own now),
 *                   ring_slots_leave, ring_unlock
 *   give_back       give_back of ring_writer.c for one row, and ring_slots_give_back
 *   lend, publish   ring_loan, ring_commit and ring_loan_release
 *   take_over       ring_writer_takeover of the next writer
 *   reap            ring_ctl_reap
 *
 * A slot's memory is the file system's: `memory` is what fallocate gave and a punched hole took
 * away. Touching a slot that has none would allocate a page, or kill the process if there is none
 * to be had. Copies are made with pread, which touches no mapping, and are left out here; that
 * copies are whole is pin.pml's business.
 *
 * Each reader has a row of its own here: who gets which row is row.pml's business. Stores are in
 * order and at once: a slot is taken up to be given back as it is taken up to be lent, and pin.pml
 * shows what the two fences are for. A slot word names its generation, and no writer of a later one
 * heeds it, so there is one generation here.
 *
 * Any free slot may be lent: more than the program does, which has an order. */

#ifndef READERS
#define READERS 1
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef LIVES
#define LIVES 2 /* of all readers together */
#endif
#ifndef WRITER_KILLS
#define WRITER_KILLS 1
#endif
#ifndef READER_KILLS
#define READER_KILLS 1
#endif
#define OWN 2 /* the writer's: newest, being written */
#define SLOTS (OWN + READERS)
#define WRITING 1
#define NO_SLOT 255
#define NOBODY 0
#define WRITER 99

/* a row's slot word */
#define NONE 0
#define PENDING 1
#define USABLE 2
#define UNWANTED 3

hidden byte nobody_touches_what_is_gone, loan_never_fails, pinned_frame_stays, memory_is_given_back;
inline must(claim, property) { if :: (claim) :: else -> assert(property) fi }

/* Shared memory, the file system, and the kernel's locks */
byte seq[SLOTS];
byte head, head_slot = NO_SLOT; /* one word */
byte pin[READERS];              /* 0, or slot + 1 */
byte word[READERS];
bool keeps[READERS], owned[READERS];
bool memory[SLOTS];
byte holder[READERS]; /* of the lock on the row's byte: NOBODY, reader + 1, WRITER */

/* What no process can see */
byte lives, writer_kills = WRITER_KILLS, reader_kills = READER_KILLS;
bool writer_doomed, reader_doomed[READERS];

#define exists(slot) (slot < OWN || word[slot - OWN] == USABLE || word[slot - OWN] == UNWANTED)

#define to_give_back(row) ((word[row] == PENDING || word[row] == UNWANTED) && \
    head_slot != OWN + row)

/* ---- writer ---------------------------------------------------------------------------------- */

inline take_over()
{
    d_step {
        i = 0;
        do
        :: i < SLOTS ->
            if
            :: seq[i] % 2 || seq[i] > 2 * head -> seq[i] = 0
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

/* Ends with is_pinned: the slot is as it was. */
inline take_up()
{
    d_step {
        before = seq[slot];
#ifdef NO_ODD
        if
        :: giving
        :: else -> seq[slot] = WRITING
        fi
#else
        seq[slot] = WRITING
#endif
    };
    do
    :: d_step { i < READERS -> is_pinned = is_pinned || pin[i] == slot + 1; i++ }
    :: else -> i = 0; break
    od;
#ifdef NO_PIN_CHECK
    if
    :: giving -> is_pinned = false
    :: else
    fi;
#endif
    if
    :: is_pinned -> put_back()
    :: else
    fi
}

inline put_back() { seq[slot] = (before % 2 -> 0 : before) }

inline look_for_keepers()
{
    do
    :: d_step { i < READERS -> is_kept = is_kept || keeps[i]; i++ }
    :: else -> i = 0; break
    od
}

inline punch()
{
#ifdef PUNCH_BEFORE_WORD
    memory[slot] = false;
    word[row] = PENDING;
#else
#ifdef NO_PENDING
    word[row] = NONE;
#else
    word[row] = PENDING;
#endif
    memory[slot] = false;
#endif
    word[row] = NONE
}

inline give_back_unwanted()
{
#ifdef KEEPERS_FIRST
    look_for_keepers();
#endif
    giving = true;
    take_up();
    giving = false;
    if
    :: is_pinned
    :: else ->
#ifndef KEEPERS_FIRST
        look_for_keepers();
#endif
        if
        :: is_kept -> put_back()
        :: else -> seq[slot] = 0; punch()
        fi
    fi
}

inline give_back_locked()
{
    if
    :: word[row] == PENDING -> punch()
    :: word[row] == UNWANTED -> give_back_unwanted()
    :: word[row] == NONE || word[row] == USABLE
    fi
}

inline give_back()
{
#ifdef NO_LOCK
    give_back_locked();
#else
    if
    :: d_step { holder[row] == NOBODY -> holder[row] = WRITER }; give_back_locked();
        holder[row] = NOBODY
    :: holder[row] != NOBODY
    fi;
#endif
    forget()
}

inline forget() { d_step { is_pinned = false; is_kept = false; giving = false; before = 0;
    row = 0; slot = 0; i = 0; tried = 0 } }

/* The slots not yet tried, by nondeterministic choice; each loses its bit in turn. */
inline lend()
{
    do
    :: if
       :: d_step { exists(0) && head_slot != 0 && !(tried & 1) -> slot = 0; tried = tried | 1 }
       :: d_step { exists(1) && head_slot != 1 && !(tried & 2) -> slot = 1; tried = tried | 2 }
       :: d_step { exists(2) && head_slot != 2 && !(tried & 4) -> slot = 2; tried = tried | 4 }
#if READERS > 1
       :: d_step { exists(3) && head_slot != 3 && !(tried & 8) -> slot = 3; tried = tried | 8 }
#endif
       :: else -> assert(loan_never_fails)
       fi;
       take_up();
       if
       :: is_pinned -> is_pinned = false
       :: else -> break
       fi
    od
}

inline publish()
{
    must(memory[slot], nobody_touches_what_is_gone);
    seq[slot] = 2 * (head + 1);
    d_step { head++; head_slot = slot }
}

proctype writer()
{
    bool is_pinned, is_kept, giving;
    byte slot, before, i, row, tried;
    do
    :: {
           take_over();
end:       do
           :: head < FRAMES -> lend(); publish(); forget()
           :: d_step { to_give_back(0) -> row = 0; slot = OWN }; give_back()
#if READERS > 1
           :: d_step { to_give_back(1) -> row = 1; slot = OWN + 1 }; give_back()
#endif
           od
       } unless { writer_doomed };
       d_step {
           writer_doomed = false;
           i = 0;
           do
           :: i < READERS ->
               if
               :: holder[i] == WRITER -> holder[i] = NOBODY
               :: else
               fi;
               i++
           :: else -> break
           od;
           is_pinned = false; is_kept = false; giving = false; before = 0; row = 0; slot = 0;
               i = 0; tried = 0
       }
    od
}

/* ---- readers --------------------------------------------------------------------------------- */

inline provide()
{
    if
    :: word[me] == USABLE || word[me] == UNWANTED -> word[me] = USABLE; has_slot = true
    :: word[me] == NONE || word[me] == PENDING ->
#ifdef USABLE_FIRST
        word[me] = USABLE;
#else
        word[me] = PENDING;
#endif
        if
        :: memory[OWN + me] = true; word[me] = USABLE; has_slot = true
#ifndef USABLE_FIRST
#ifdef NONE_IF_FULL
        :: word[me] = NONE
#else
        :: true /* no memory: pending, for a reader before may have died with it */
#endif
#endif
        fi
    fi
}

inline take_row()
{
    d_step { holder[me] == NOBODY -> holder[me] = me + 1; pin[me] = 0 };
    d_step { keeps[me] = false; owned[me] = true };
#ifdef PIN_BEFORE_SLOT
    if
    :: provide()
    :: has_slot = true
    fi
#else
    provide()
#endif
}

inline look_at(slot_seen) { must(memory[slot_seen], nobody_touches_what_is_gone) }

inline read_frame()
{
    d_step { number = head; slot = head_slot };
    if
    :: number == 0
    :: else ->
        pin[me] = slot + 1;
        if
        :: seq[slot] == 2 * number ->
            look_at(slot);
            must(seq[slot] == 2 * number || seq[slot] == WRITING || seq[slot] == 0,
                pinned_frame_stays);
            if
            :: pin[me] = 0
#ifdef KEEPS_LATE
            :: pin[me] = 0; keeps[me] = true; kept = slot; look_at(kept)
#else
#ifdef NO_KEEPS
            :: kept = slot; pin[me] = 0; look_at(kept)
#else
            :: d_step { keeps[me] = true; kept = slot }; pin[me] = 0; look_at(kept)
#endif
#endif
            fi
        :: else -> pin[me] = 0
        fi
    fi;
    d_step { number = 0; slot = 0 }
}

inline leave_row()
{
    d_step { kept = NO_SLOT; keeps[me] = false };
    if
    :: word[me] == USABLE -> word[me] = UNWANTED
    :: else
    fi;
    owned[me] = false;
    holder[me] = NOBODY
}

proctype reader(byte me)
{
    byte number, slot, kept = NO_SLOT;
    bool has_slot;
end:
    do
    :: d_step { lives < LIVES && !reader_doomed[me] -> lives++ };
       {
           take_row();
           do
           :: has_slot -> read_frame()
           :: kept != NO_SLOT -> look_at(kept)
           :: break
           od;
           leave_row();
           d_step { has_slot = false; kept = NO_SLOT }
       } unless {
           d_step {
               reader_doomed[me] ->
               reader_doomed[me] = false;
               if
               :: holder[me] == me + 1 -> holder[me] = NOBODY
               :: else
               fi;
               has_slot = false;
               kept = NO_SLOT;
               number = 0;
               slot = 0
           }
       }
    od
}

/* ---- reaper and killer ----------------------------------------------------------------------- */

proctype reaper(byte row)
{
end:
    do
    :: d_step { owned[row] && holder[row] == NOBODY -> holder[row] = 100 };
       pin[row] = 0;
#ifndef REAPER_FORGETS
       if
       :: word[row] == USABLE -> word[row] = UNWANTED
       :: else
       fi;
#endif
       d_step { keeps[row] = false; owned[row] = false };
       holder[row] = NOBODY
    od
}

proctype killer()
{
end:
    do
    :: d_step { writer_kills > 0 && !writer_doomed -> writer_kills--; writer_doomed = true }
    :: d_step { reader_kills > 0 && !reader_doomed[0] && holder[0] == 1 -> reader_kills--;
        reader_doomed[0] = true }
#if READERS > 1
    :: d_step { reader_kills > 0 && !reader_doomed[1] && holder[1] == 2 -> reader_kills--;
        reader_doomed[1] = true }
#endif
    od
}

proctype at_rest()
{
    timeout;
    must(!memory[OWN] || head_slot == OWN, memory_is_given_back);
#if READERS > 1
    must(!memory[OWN + 1] || head_slot == OWN + 1, memory_is_given_back)
#endif
}

init
{
    atomic {
        memory[0] = true;
        memory[1] = true;
        run writer();
        run reader(0);
        run reaper(0);
#if READERS > 1
        run reader(1);
        run reaper(1);
#endif
        run killer();
        run at_rest()
    }
}
