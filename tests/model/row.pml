/* row.pml: how a row finds its reader: claimed under a lock that the kernel drops with its holder,
 * and reaped under the same lock.
 *
 * What stands for what
 *   claim           row_claim: ring_lock row by row, then row_fill, which stores pid last
 *   work            ring_reader_acquire, ring_reader_want, ring_reader_release: pin and waker as
 *                   far as the row is concerned
 *   leave           ring_reader_close: waker, pid, then ring_unlock
 *   reap            ring_ctl_reap: a look at pid, ring_lock, clear_row, which clears pid last,
 *                   ring_unlock
 *   die             SIGKILL between any two steps: the kernel drops the lock, what was stored stays
 *
 * `holder` is the kernel's table of locks: an OFD lock belongs to the open file and goes with its
 * last descriptor. Each life has a number of its own, as processes have pids. The supervisor dies,
 * too, even between two stores of clear_row. Rows are read and written between ring_lock and
 * ring_unlock only, and the kernel orders those, so no store buffers are modelled; pid is also
 * looked at without the lock, which decides nothing but whether to ask for it. */

#define READERS 2
#define ROWS 1
#ifndef LIVES
#define LIVES 4 /* of all readers together */
#endif
#ifndef KILLS
#define KILLS 3
#endif
#define SUPERVISOR 99

hidden byte living_owners_row_stays, row_has_one_owner, dead_readers_row_is_freed;
inline must(holds, property) { if :: (holds) :: else -> assert(property) fi }

/* Shared memory, and the kernel's locks */
byte row_pid[ROWS], row_pin[ROWS], row_waker[ROWS];
byte holder[ROWS];

/* What no process can see */
byte owner[ROWS]; /* from the end of claim to the beginning of leave */
byte lives, kills = KILLS;
bool living[LIVES + 1];
bool doomed[READERS], supervisor_doomed;

/* ---- readers --------------------------------------------------------------------------------- */

inline fill_row()
{
    row_pin[row] = 0;
    row_waker[row] = 0;
    row_pid[row] = me
}

/* Ends with row == ROWS if there was none. */
inline claim()
{
    do
    :: row == ROWS -> break
#ifdef OWNER_BEFORE_LOCK
    :: row < ROWS && row_pid[row] != 0 -> row++
    :: row < ROWS && row_pid[row] == 0 ->
        fill_row();
        if
        :: d_step { holder[row] == 0 -> holder[row] = me }; break
        :: holder[row] != 0 -> row++
        fi
#else
    :: row < ROWS && holder[row] != 0 -> row++
    :: d_step { row < ROWS && holder[row] == 0 -> holder[row] = me }; fill_row(); break
#endif
    od
}

inline work()
{
    d_step { must(owner[row] == 0, row_has_one_owner); owner[row] = me; row_pin[row] = me };
    row_waker[row] = me;
    must(row_pid[row] == me && row_pin[row] == me && row_waker[row] == me, living_owners_row_stays);
    d_step { row_pin[row] = 0; owner[row] = 0 }
}

inline leave()
{
#ifdef UNLOCK_BEFORE_CLEAR
    holder[row] = 0;
    row_waker[row] = 0;
    row_pid[row] = 0
#else
    row_waker[row] = 0;
    row_pid[row] = 0;
    holder[row] = 0
#endif
}

inline die()
{
    living[me] = false;
    doomed[index] = false;
    if
    :: row < ROWS && holder[row] == me -> holder[row] = 0
    :: else
    fi;
    if
    :: row < ROWS && owner[row] == me -> owner[row] = 0
    :: else
    fi;
    row = 0;
    me = 0
}

proctype reader(byte index)
{
    byte me, row;
end:
    do
    :: d_step { lives < LIVES && !doomed[index] -> lives++; me = lives; living[me] = true };
       {
           claim();
           if
           :: row < ROWS -> work(); leave()
           :: row == ROWS
           fi;
           d_step { living[me] = false; row = 0; me = 0 }
       } unless { d_step { doomed[index] -> die() } }
    od
}

/* ---- supervisor ------------------------------------------------------------------------------ */

inline clear_row()
{
#ifdef PID_FIRST
    row_pid[row] = 0;
    row_pin[row] = 0;
    row_waker[row] = 0
#else
    row_pin[row] = 0;
    row_waker[row] = 0;
    row_pid[row] = 0
#endif
}

inline reap()
{
#ifdef LOCKLESS_REAP
    d_step { row_pid[row] != 0 && !living[row_pid[row]] }; /* kill(pid, 0) says that it is gone */
    clear_row()
#else
    row_pid[row] != 0;
    d_step { holder[row] == 0 -> holder[row] = SUPERVISOR };
#ifdef UNLOCK_BEFORE_CLEAR
    holder[row] = 0;
    clear_row()
#else
    clear_row();
    holder[row] = 0
#endif
#endif
}

proctype supervisor(byte row)
{
end:
    do
    :: {
end_asleep: do
           :: reap()
           od
       } unless {
           d_step {
               supervisor_doomed ->
               supervisor_doomed = false;
               if
               :: holder[row] == SUPERVISOR -> holder[row] = 0
               :: else
               fi
           }
       }
    od
}

proctype killer()
{
end:
    do
    :: d_step { kills > 0 && !supervisor_doomed -> kills--; supervisor_doomed = true }
    :: d_step { kills > 0 && !doomed[0] -> kills--; doomed[0] = true }
    :: d_step { kills > 0 && !doomed[1] -> kills--; doomed[1] = true }
    od
}

proctype at_the_end()
{
    timeout;
    must(row_pid[0] == 0 && row_pin[0] == 0 && row_waker[0] == 0, dead_readers_row_is_freed)
}

init
{
    atomic {
        run reader(0);
        run reader(1);
        run supervisor(0);
        run killer();
        run at_the_end()
    }
}
