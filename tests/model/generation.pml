/* generation.pml: a ring's data object is replaced by a larger one, with writers killed between any
 * two steps, and the whole ring by a new one of the same name.
 *
 * What stands for what
 *   follow            follow and move_on of ring_writer.c; mapping may fail for the time being (out
 *                     of memory or descriptors)
 *   take_over         ring_writer_takeover: follow, sign, unlink_unpublished
 *   reserve           ring_writer_reserve: follow again; for the first or a larger picture
 *                     make_generation
 *   make_generation   ring_object_create and fill_data (nameless), ring_object_link,
 *                     publish_generation, move_on, sign
 *   commit            ring_loan, as far as pins of other generations matter, and ring_commit
 *   hand_over         the lease passes to a worker that still has the generation mapped that was
 *                     current when it last wrote
 *   reader            follow of ring_reader.c, ring_reader_acquire, ring_reader_release; attaches
 *                     anew once the ring is closed
 *   supervisor        restarts a killed writer; once the writers are dead, ring_unlink and
 *                     ring_create
 *
 * `name` is the directory: which object lies under CAMERA.VARIANT.GENERATION. It does not tell an
 * old ring's generation 1 from the new one's: a reader on its way from ctl to data while the ring
 * is made anew would map the new data with the old ctl, where no writer looks for its pins. So a
 * reader looks at `closed` again once it has mapped.
 *
 * Numbers go on from the head of the current generation, so that one must be mapped before another
 * can follow it. If that fails for the time being, the frame is dropped: what readers have seen so
 * far (their rows) is no substitute, since they may take a newer frame of the current generation
 * before the next one is published. Who maps a generation takes it over, be it in
 * ring_writer_takeover or, if that failed, in reserve.
 *
 * Every object is allocated in full,
     so /dev/shm must hold as many as there are at any time: two. */

#ifndef READERS
#define READERS 1
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef SWITCHES
#define SWITCHES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef MAP_FAILURES
#define MAP_FAILURES 2
#endif
#ifndef RECREATIONS
#define RECREATIONS 0
#endif
#define OBJECTS (2 * (SWITCHES + KILLS + MAP_FAILURES + RECREATIONS) + 2)
#define GENERATIONS (SWITCHES + MAP_FAILURES + 2)
#define SLOTS 2
#ifdef KEEP_LEFTOVER
#define AT_MOST 3 /* its numbers are the point there */
#else
#define AT_MOST 2
#endif

hidden byte published_object_is_there, reader_maps_a_filled_object, reader_maps_its_own_ring,
    reader_gets_to_the_newest;
hidden byte numbers_never_go_back, two_objects_at_most, old_pin_never_blocks;
inline must(holds, property) { if :: (holds) :: else -> assert(property) fi }

/* ctl objects: the old ring's and the new one's */
byte generation[RECREATIONS + 1];
bool closed[RECREATIONS + 1];
byte ctl; /* the one that has the ring's name */

/* rows, in the ctl object the reader is attached to */
byte attached[READERS], last[READERS];
byte pin_generation[READERS], pin_slot[READERS];

/* the directory, and the data objects: their numbers are never used again,
    as if they were inodes */
byte name[GENERATIONS + 2];
byte objects; /* made so far; 0 is none, and no generation's */
bool filled[OBJECTS + 1];
byte signer[OBJECTS + 1]; /* the worker that signed last; 0: nobody, or one that is dead */
byte born_as[OBJECTS + 1], born_in[OBJECTS + 1]; /* generation, ctl */
byte head[OBJECTS + 1];
bool has_frame[OBJECTS + 1]; /* head names a slot */

/* What no process can see */
byte mapped[READERS];
bool doomed, writer_dead;
byte kills = KILLS, switches = SWITCHES, map_failures = MAP_FAILURES, recreations = RECREATIONS,
    frames = FRAMES;

inline count_objects(nameless)
{
    i = 0;
    count = nameless;
    do
    :: i < GENERATIONS + 2 -> count = count + (name[i] != 0); i++
    :: else -> break
    od;
    must(count <= AT_MOST, two_objects_at_most);
    i = 0;
    count = 0
}

/* ---- writers --------------------------------------------------------------------------------- */

inline move_on()
{
    if
    :: d_step { name[current] != 0 -> map = name[current]; is_mapped = true };
       name[current - 1] = 0
    :: d_step { map_failures > 0 -> map_failures--; is_mapped = false }
    fi
}

/* Leaves is_mapped false if there is no generation, or one that can't be mapped. */
inline follow()
{
    current = generation[ctl];
    if
    :: current == 0 || (map != 0 && born_as[map] == current) -> is_mapped = (current != 0)
    :: else -> move_on()
    fi
}

inline sign_and_clear()
{
    if
    :: is_mapped && signer[map] != self ->
        signer[map] = self;
#if !defined(NO_UNLINK_UNPUBLISHED) && !defined(KEEP_LEFTOVER)
        name[current + 1] = 0
#endif
    :: else
    fi
}

inline take_over()
{
    follow();
    sign_and_clear()
}

/* The current generation is mapped, or there is none yet. NEW_IF_UNMAPPABLE has to make do with
 * what readers have seen. */
inline find_last_number()
{
    d_step {
        number = head[map];
#ifdef NEW_IF_UNMAPPABLE
        do
        :: i < READERS && map == 0 -> number = (attached[i] == ctl && last[i] > number ->
            last[i] : number); i++
        :: i < READERS && map != 0 -> i++
        :: else -> break
        od;
        i = 0;
#endif
#ifdef NUMBER_FROM_ZERO
        number = 0
#endif
    }
}

inline fill_object() { d_step { filled[made] = true; head[made] = number } }

inline link_object()
{
#ifdef KEEP_LEFTOVER
    d_step {
        if
        :: name[current] == 0 -> name[current] = made
        :: else
        fi
    }
#else
    d_step { name[current] = made; count_objects(0) } /* replaces what is there */
#endif
}

inline publish_generation()
{
    d_step {
        generation[ctl] = current;
        must(name[current] != 0, published_object_is_there)
    }
}

inline make_generation()
{
    current = generation[ctl] + 1;
    d_step { objects++; made = objects; born_as[made] = current; born_in[made] = ctl;
        count_objects(1) };
    find_last_number();
#ifdef FILL_AFTER_PUBLISH
    link_object();
    publish_generation();
    fill_object();
#else
    fill_object();
#ifdef PUBLISH_BEFORE_LINK
    publish_generation();
    link_object();
#else
    link_object();
    publish_generation();
#endif
#endif
    name[current - 1] = 0;
    d_step { made = 0; number = 0 };
    move_on();
    if
    :: is_mapped -> signer[map] = self
    :: !is_mapped
    fi
}

inline reserve()
{
#ifdef TAKE_OVER_ONCE
    follow();
#else
    take_over(); /* nothing is done if ring_writer_takeover has done it */
#endif
    if
#ifdef NEW_IF_UNMAPPABLE
    :: !is_mapped -> make_generation()
#else
    :: !is_mapped && current == 0 -> make_generation()
    :: !is_mapped && current != 0 -> frames-- /* dropped and counted */
#endif
    :: is_mapped && switches > 0 -> switches--; make_generation()
    :: is_mapped
    fi
}

#ifdef PIN_WITHOUT_GENERATION
#define blocks(reader, slot) (attached[reader] == ctl && pin_slot[reader] == slot)
#else
#define blocks(reader, slot) (attached[reader] == ctl && pin_slot[reader] == slot && \
    pin_generation[reader] == born_as[map])
#endif
#define slot_of(number) ((number) % SLOTS + 1)

/* One slot is enough to see whether a pin stands in the way; which one comes next is pin.pml's
 * business. */
inline commit()
{
    d_step {
        frames--;
        head[map]++;
        has_frame[map] = true;
        do
        :: i < READERS ->
            must(!blocks(i, slot_of(head[map])) || pin_generation[i] == born_as[map],
                old_pin_never_blocks);
            must(attached[i] != ctl || head[map] > last[i], numbers_never_go_back);
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline hand_over()
{
    d_step {
        made = map;
        map = other_map;
        other_map = made;
        made = self;
        self = other;
        other = made;
        made = 0
    }
}

inline forget_signer(worker)
{
    i = 0;
    do
    :: i <= OBJECTS -> signer[i] = (signer[i] == worker -> 0 : signer[i]); i++
    :: else -> break
    od;
    i = 0
}

proctype writer()
{
    byte self = 1, other = 2; /* two workers */
    byte map, other_map, current, number, made, i, count;
    bool is_mapped;
    do
    :: {
           take_over();
           do
           :: frames > 0 ->
               reserve();
               if
               :: is_mapped -> commit()
               :: !is_mapped
               fi
           :: frames > 0 -> hand_over(); take_over()
           :: frames == 0 -> break
           od;
end:       false
       } unless { doomed };
       d_step { writer_dead = true; forget_signer(self); map = 0; made = 0; number = 0;
           current = 0; is_mapped = false };
       d_step {
           !doomed ->
           writer_dead = false;
           if
           :: born_in[other_map] != ctl -> other_map = 0; forget_signer(other)
           :: else
           fi
       }
    od
}

/* ---- readers --------------------------------------------------------------------------------- */

#define mine attached[me]

proctype reader(byte me)
{
    byte wanted, opened;
end:
    do
    :: d_step { closed[mine] && mine != ctl -> mine = ctl; last[me] = 0; mapped[me] = 0 }
    :: d_step { !closed[mine] && generation[mine] != born_as[mapped[me]] ->
        wanted = generation[mine] };
       opened = name[wanted];
       must(opened == 0 || (filled[opened] && born_as[opened] == wanted),
           reader_maps_a_filled_object);
       if
#ifdef NO_SECOND_LOOK_AT_CLOSED
       :: d_step { opened != 0 -> mapped[me] = opened; must(born_in[opened] == mine,
           reader_maps_its_own_ring) }
#else
       :: d_step {
              opened != 0 && !closed[mine] ->
              mapped[me] = opened;
              must(born_in[opened] == mine, reader_maps_its_own_ring)
          }
       :: opened != 0 && closed[mine]
#endif
       :: opened == 0
       fi;
       d_step { wanted = 0; opened = 0 }
    :: d_step {
           has_frame[mapped[me]] && head[mapped[me]] > last[me] ->
           pin_generation[me] = born_as[mapped[me]];
           pin_slot[me] = slot_of(head[mapped[me]]);
           last[me] = head[mapped[me]]
       };
       d_step { pin_slot[me] = 0; pin_generation[me] = 0 }
    od
}

/* ---- supervisor ------------------------------------------------------------------------------ */

inline unlink_all()
{
    d_step {
        i = 0;
        do
        :: i < GENERATIONS + 2 -> name[i] = 0; i++
        :: else -> break
        od;
        i = 0
    }
}

proctype supervisor()
{
    byte i;
end:
    do
    :: d_step { kills > 0 -> kills--; doomed = true };
       d_step { writer_dead -> doomed = false }
    :: d_step { recreations > 0 -> recreations--; doomed = true };
       writer_dead;
       unlink_all();
       closed[ctl] = true;
       d_step { ctl++; doomed = false }
    od
}

proctype at_rest()
{
    byte i, count, newest;
    timeout;
    count_objects(0);
    newest = name[generation[ctl]];
    must(newest != 0 || generation[ctl] == 0, published_object_is_there);
    must(attached[0] == ctl && mapped[0] == newest, reader_gets_to_the_newest);
    must(last[0] == head[newest] || !has_frame[newest], reader_gets_to_the_newest)
}

init
{
    atomic {
        run writer();
        run reader(0);
#if READERS > 1
        run reader(1);
#endif
        run supervisor();
        run at_rest()
    }
}
