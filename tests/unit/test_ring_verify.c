/* ring_verify: each kind of damage is found and named, what the dead left is told from damage, and
 * a healthy ring, however busy, is never accused. */
#include "ring_verify_fixture.h"

/* ---- rings that are all right ---- */

static void a_ring_is_all_right_at_every_age(void **state)
{
    (void)state;
    struct error err = {0};
    assert_clean(); /* no generation yet */
    struct ring_writer *writer = fixture_writer(0);
    assert_clean(); /* no frame yet */
    struct ring_reader *reader = fixture_reader(RING_MEMBER), *copier = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    struct ring_buffer buffer = {0};
    const uint8_t *data;
    for (uint64_t n = 1; n <= 40; n++) {
        assert_int_equal(fixture_publish(writer, n), n);
        if (n % 3 == 0)
            assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
        if (n % 7 == 0)
            assert_int_equal(ring_reader_copy(copier, 0, &buffer, &frame, &err), RING_GOT);
        assert_clean();
        if (n % 3 == 0) {
            n++;
            assert_int_equal(fixture_publish(writer, n), n);
            assert_clean(); /* with a pinned frame that is not the newest */
            ring_reader_release(reader);
        }
    }
    struct ring_loan loan;
    assert_true(ring_loan(writer, &loan));
    assert_clean(); /* in the middle of writing */
    ring_loan_release(writer, &loan);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(ring_writer_reserve(writer, 3 * FIXTURE_BYTES, 0, &err), 0);
    assert_clean(); /* a pin on a retired generation */
    ring_reader_release(reader);
    ring_reader_close(reader);
    ring_reader_close(copier);
    ring_writer_close(writer);
    free(buffer.data);
}

static void a_ring_that_is_not_there_is_absent(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(ring_verify(fixture_instance, "no.raw", &found, &err), -1);
    assert_int_equal(err.code, RING_ERROR_ABSENT);
}

/* ---- damage ---- */

static void damaged_objects_are_named(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char ctl[RING_PATH_SIZE], data[RING_PATH_SIZE];
    path_of(ctl, "");
    path_of(data, ".1");

    ring.ctl->header->magic ^= 1;
    assert_found(RING_FAULT_UNREADABLE, false, "", "magic");
    ring.ctl->header->magic ^= 1;
    ring.map->header->slot_count++;
    assert_found(RING_FAULT_UNREADABLE, false, "generation 1", "contradicts");
    ring.map->header->slot_count--;
    ring.map->header->abi_major++;
    assert_found(RING_FAULT_UNREADABLE, false, "generation 1", "ABI");
    ring.map->header->abi_major--;
    assert_int_equal(truncate(data, 100), 0);
    verify();
    assert_int_equal(found.list[0].fault, RING_FAULT_UNREADABLE);
    free_ring(&ring);
}

static void others_may_not_write(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE];
    path_of(path, "");
    assert_int_equal(chmod(path, 0606), 0);
    assert_found(RING_FAULT_OWNER, false, "", "606");
    assert_int_equal(chmod(path, 0600), 0);
    path_of(path, ".1");
    assert_int_equal(chmod(path, 0602), 0);
    assert_found(RING_FAULT_OWNER, false, "generation 1", "602");
    assert_int_equal(chmod(path, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, -1), 0);
        assert_found(RING_FAULT_OWNER, false, "generation 1", "user 12345");
        assert_int_equal(chown(path, 0, -1), 0);
    }
    assert_clean();
    free_ring(&ring);
}

static void a_header_may_not_name_another_ring(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char from[RING_PATH_SIZE], to[RING_PATH_SIZE];
    struct error err;
    path_of(from, "");
    snprintf(to, sizeof to, RING_DIRECTORY "/" RING_PREFIX "%s.other.raw", fixture_instance);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(ring_verify(fixture_instance, "other.raw", &found, &err), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.list[0].fault, RING_FAULT_NAME);
    assert_non_null(strstr(found.list[0].text, "cam.raw"));
    unlink(to);
    free_ring(&ring);
}

static void memory_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE];
    path_of(path, ".1");
    int fd = open(path, O_RDWR);
    off_t first_payload = ring.map->payloads - ring.map->base;
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first_payload, 4096),
                     0);
    assert_found(RING_FAULT_MEMORY, false, "generation 1", "only");
    close(fd);
    free_ring(&ring);
}

static void header_words_have_their_values(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    ring.ctl->header->unsupervised = 7;
    assert_found(RING_FAULT_LAYOUT, false, "", "unsupervised is 7");
    ring.ctl->header->unsupervised = 0;
    ring.ctl->header->leased = 2;
    assert_found(RING_FAULT_LAYOUT, false, "", "leased is 2");
    ring.ctl->header->leased = 0;
    ring.map->header->payload_offset += 64 * ring.map->slot_count;
    ring.map->header->slot_bytes -= 64;
    verify();
    assert_true(found.count > 0 && found.list[0].fault == RING_FAULT_LAYOUT);
    assert_non_null(strstr(found.list[0].text, "not page-aligned"));
    ring.map->header->payload_offset -= 64 * ring.map->slot_count;
    ring.map->header->slot_bytes += 64;
    atomic_store(&ring.map->header->state, 9);
    assert_found(RING_FAULT_LAYOUT, false, "", "state is 9");
    atomic_store(&ring.map->header->state, RING_RETIRED);
    assert_found(RING_FAULT_RETIRED, false, "generation 1", "marked retired");
    atomic_store(&ring.map->header->state, RING_LIVE);
    atomic_store(&ring.ctl->header->closed, 1);
    assert_found(RING_FAULT_CLOSED, false, "", "still there");
    free_ring(&ring);
}

static void touch(const char *suffix)
{
    char path[RING_PATH_SIZE];
    path_of(path, suffix);
    close(open(path, O_CREAT | O_RDWR, 0600));
}

static void generations_are_two_at_most(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE], away[RING_PATH_SIZE];
    touch(".3"); /* one beyond what may be in the making */
    assert_found(RING_FAULT_GENERATION, false, "generation 3", "the current one is 1");
    path_of(path, ".3");
    unlink(path);
    touch(".2");
    assert_clean(); /* which a living writer may be making */
    close_writer(&ring);
    assert_found(RING_FAULT_UNFINISHED, true, "generation 2", "the writer died");
    path_of(path, ".2");
    unlink(path);
    touch(".name");
    touch(".01");
    assert_clean(); /* no generations */
    path_of(path, ".1");
    path_of(away, ".away");
    assert_int_equal(rename(path, away), 0);
    assert_found(RING_FAULT_GENERATION, false, "generation 1", "does not exist");
    free_ring(&ring);
}

static void three_generations_are_one_too_many(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct error err;
    assert_int_equal(ring_writer_reserve(ring.writer, 3 * FIXTURE_BYTES, 0, &err), 0);
    assert_clean();
    touch(".1");
    touch(".3");
    assert_found(RING_FAULT_GENERATION, false, "", "3 generations are linked");
    free_ring(&ring);
}

static void head_names_a_finished_slot(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint64_t head = atomic_load(&ring.map->header->head);
    uint32_t newest = slot_of(&ring, 5);
    atomic_store(&ring.map->header->head, ring_head_pack(5, 200));
    assert_found(RING_FAULT_HEAD, false, "", "names slot 200");
    atomic_store(&ring.map->header->head, ring_head_pack(5, slot_of(&ring, 4)));
    assert_found(RING_FAULT_HEAD, false, "", "whose sequence number is 8");
    atomic_store(&ring.map->header->head, head);
    atomic_store(&ring.map->slots[newest].seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_HEAD, false, "", "whose sequence number is 1");
    atomic_store(&ring.map->slots[newest].seq, 10);
    assert_clean();
    free_ring(&ring);
}

static void sequence_numbers_are_those_a_writer_stores(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = empty_slot(&ring);
    _Atomic uint64_t *seq = &ring.map->slots[slot].seq;
    ring.map->slots[slot].frame = ring.map->slots[slot_of(&ring, 5)].frame;
    ring.map->slots[slot].frame.number = 7;
    atomic_store(seq, 14);
    assert_found(RING_FAULT_SEQUENCE, false, where("slot", slot), "the newest is 5");
    atomic_store(seq, 13);
    assert_found(RING_FAULT_SEQUENCE, false, where("slot", slot), "odd sequence number 13");

    atomic_store(seq, RING_SEQ_WRITING);
    assert_clean();
    /* one of another container: only its lock tells */
    int32_t pid = atomic_exchange(&ring.map->header->writer_pid, 0);
    assert_clean();
    atomic_store(&ring.map->header->writer_pid, pid);
    ring.map->slots[slot].frame.number = 6;
    atomic_store(seq, 12); /* between the two stores of a commit */
    assert_clean();
    close_writer(&ring);
    assert_found(RING_FAULT_UNFINISHED, true, where("slot", slot), "before it published it");
    atomic_store(seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_UNFINISHED, true, where("slot", slot), "when its writer died");
    free_ring(&ring);
}

static void a_frame_is_in_one_slot(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = empty_slot(&ring), other = slot_of(&ring, 4);
    ring.map->slots[slot].frame = ring.map->slots[other].frame;
    atomic_store(&ring.map->slots[slot].seq, 8);
    assert_found(RING_FAULT_DUPLICATE, false, where("slot", slot > other ? slot : other),
                 "holds frame 4, as slot");
    free_ring(&ring);
}

static void descriptions_are_checked(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = slot_of(&ring, 4);
    struct ring_frame *frame = &ring.map->slots[slot].frame, good = *frame;
    frame->number = 2;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "described as frame 2");
    *frame = good;
    frame->bytes = UINT32_MAX;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "4294967295 bytes");
    *frame = good;
    frame->format = 77;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "format 77");
    *frame = good;
    assert_clean();
    free_ring(&ring);
}

static void pins_name_what_can_be_pinned(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    _Atomic uint64_t *pin = &ring.ctl->header->rows[1].pin;
    atomic_store(pin, ring_pin_pack(2, 0));
    assert_found(RING_FAULT_PIN, false, "row 1", "pins generation 2");
    atomic_store(pin, ring_pin_pack(1, 249));
    assert_found(RING_FAULT_PIN, false, "row 1", "pins slot 249");
    atomic_store(pin, UINT64_C(1) << 32);
    assert_found(RING_FAULT_PIN, false, "row 1", "pins slot -1");
    atomic_store(pin, 0);

    _Atomic uint64_t *nobodys = &ring.ctl->header->rows[2].pin;
    atomic_store(nobodys, ring_pin_pack(1, 0));
    assert_found(RING_FAULT_PIN, false, "row 2", "belongs to nobody");
    atomic_store(nobodys, 0);

    ring.ctl->header->unsupervised = 1;
    atomic_store(&ring.ctl->header->rows[0].pin, ring_pin_pack(1, 0));
    assert_found(RING_FAULT_PIN, false, "row 0", "no encoders");
    ring.ctl->header->unsupervised = 0;
    assert_clean(); /* the lease's holder at work */
    free_ring(&ring);
}

static void a_pinned_frame_stays(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(ring.reader, 0, &frame, &data, &err), RING_GOT);
    uint32_t slot = slot_of(&ring, 5);
    assert_int_equal(fixture_publish(ring.writer, 6), 6);
    assert_clean();
    /* a writer that does not look at pins */
    atomic_store(&ring.map->slots[slot].seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_PIN, false, "row 1", "whose sequence number is 1");
    free_ring(&ring);
}

/* The writer's predecessor died between two stores of one loan: it had taken the slot up and not
 * put it back yet. */
static void a_pinned_slot_may_lose_its_number(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(ring.reader, 0, &frame, &data, &err), RING_GOT);
    uint32_t slot = slot_of(&ring, 5);
    assert_int_equal(fixture_publish(ring.writer, 6), 6);
    atomic_store(&ring.map->slots[slot].seq, RING_SEQ_WRITING);
    close_writer(&ring);
    char where[24];
    snprintf(where, sizeof where, "slot %u", slot);
    assert_found(RING_FAULT_UNFINISHED, true, where, "was being written");
    ring.writer = fixture_writer(0);
    assert_int_equal(atomic_load(&ring.map->slots[slot].seq), 0);
    assert_clean();
    for (uint64_t n = 7; n < 30; n++)
        assert_int_equal(fixture_publish(ring.writer, n), n);
    assert_true(fixture_holds(data, 5));
    assert_clean();
    free_ring(&ring);
}

static void rows_are_checked(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_row *row = &ring.ctl->header->rows[1];
    atomic_store(&row->waker, 1000);
    assert_found(RING_FAULT_ROW, false, "row 1", "waker 999");
    atomic_store(&row->waker, 0);
    row->who[15] = 'x';
    assert_found(RING_FAULT_ROW, false, "row 1", "name");
    row->who[15] = '\0';
    atomic_store(&row->of, 1000);
    assert_found(RING_FAULT_ROW, false, "row 1", "holds a frame for the reader of row 1000");
    atomic_store(&row->of, 2);
    assert_found(RING_FAULT_ROW, false, "row 1", "which is another");
    atomic_store(&row->of, 0);
    free_ring(&ring);
}

/* What another process is about to put right is no fault. */
static void a_passing_state_is_no_fault(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    atomic_store(&ring.ctl->header->closed, 1);
    atomic_store(&ring.ctl->header->rows[2].pin, ring_pin_pack(1, 0));
    pid_t child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        atomic_store(&ring.ctl->header->closed, 0);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        atomic_store(&ring.ctl->header->rows[2].pin, 0);
        _exit(0);
    }
    verify();
    assert_int_equal(waitpid(child, NULL, 0), child);
    print_findings();
    assert_int_equal(found.count, 0);
    free_ring(&ring);
}

static void accounts_add_up(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_row *row = &ring.ctl->header->rows[1];
    uint64_t taken = atomic_load(&row->taken), joined = atomic_load(&row->joined),
             last = atomic_load(&row->last);
    assert_true(taken == 2 && joined == 0 && last == 3);
    atomic_store(&row->taken, 4);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "took 4 frames between frame 0 and frame 3");
    atomic_store(&row->taken, taken);
    atomic_store(&row->joined, 4);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "between frame 4 and frame 3");
    atomic_store(&row->joined, joined);
    atomic_store(&row->last, 9);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "had frame 9, and the newest is 5");
    atomic_store(&row->last, last);
    assert_clean();
    free_ring(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ring_is_all_right_at_every_age),
        TEST(a_ring_that_is_not_there_is_absent),
        TEST(damaged_objects_are_named),
        TEST(others_may_not_write),
        TEST(a_header_may_not_name_another_ring),
        TEST(memory_that_is_not_there_is_told),
        TEST(header_words_have_their_values),
        TEST(generations_are_two_at_most),
        TEST(three_generations_are_one_too_many),
        TEST(head_names_a_finished_slot),
        TEST(sequence_numbers_are_those_a_writer_stores),
        TEST(a_frame_is_in_one_slot),
        TEST(descriptions_are_checked),
        TEST(pins_name_what_can_be_pinned),
        TEST(a_pinned_frame_stays),
        TEST(a_pinned_slot_may_lose_its_number),
        TEST(rows_are_checked),
        TEST(a_passing_state_is_no_fault),
        TEST(accounts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
