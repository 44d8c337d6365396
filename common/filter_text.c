/* The rules are those of FFmpeg's av_get_token: a backslash takes the meaning from the next
 * character, single quotes from all between them; blanks around a word don't count. */
#include "filter_text.h"

#include <ctype.h>
#include <string.h>

#define BLANKS " \n\t\r"

/* Part of the text, read once. */
struct word {
    char *out;
    uint16_t *where; /* NULL: not wanted; else for the end as well */
    size_t size, used, kept;
    bool full;
};

static void word_put(struct word *word, char c, size_t offset, bool is_kept)
{
    if (word->used + 1 >= word->size) {
        word->full = true;
        return;
    }
    if (word->where)
        word->where[word->used] = (uint16_t)offset;
    word->out[word->used++] = c;
    if (is_kept || !strchr(BLANKS, c))
        word->kept = word->used;
}

/* Reads up to an unquoted character of `ends`; returns where that stands.  False in *closed if a
 * quote has no end. */
static const char *read_word(const char *from, const char *start, const char *ends,
                             struct word *word, bool *closed)
{
    const char *p = from + strspn(from, BLANKS);
    *closed = true;
    while (*p && !strchr(ends, *p)) {
        if (*p == '\\' && p[1]) {
            word_put(word, p[1], (size_t)(p - start), true);
            p += 2;
        } else if (*p == '\'') {
            const char *end = strchr(p + 1, '\'');
            *closed = *closed && end;
            for (p++; *p && *p != '\''; p++)
                word_put(word, *p, (size_t)(p - start), true);
            p += *p == '\'';
        } else {
            word_put(word, *p, (size_t)(p - start), false);
            p++;
        }
    }
    word->out[word->kept] = '\0';
    if (word->where)
        word->where[word->kept] = (uint16_t)(p - start);
    return p;
}

/* ---- graph ---- */

void filter_text_begin(struct filter_text *reader, const char *text)
{
    *reader = (struct filter_text){.text = text, .at = text + strspn(text, BLANKS)};
}

static unsigned filter_text_offset(const struct filter_text *reader)
{
    return (unsigned)(reader->at - reader->text);
}

static int filter_text_fail(const struct filter_text *reader, struct error *err, const char *words)
{
    error_set(err, (int)filter_text_offset(reader), "%s", words);
    return -1;
}

static void skip_blanks(struct filter_text *reader)
{
    reader->at += strspn(reader->at, BLANKS);
}

static bool is_filter_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return length > 0 && length < FILTER_NAME_SIZE;
}

static int read_labels(struct filter_text *reader, struct filter_label *labels, unsigned *count,
                       struct error *err)
{
    for (*count = 0; *reader->at == '['; skip_blanks(reader)) {
        size_t length = strcspn(reader->at + 1, "]");
        if (!is_filter_name(reader->at + 1, length) || reader->at[1 + length] != ']')
            return filter_text_fail(reader, err,
                                    "a label must be like [name], of letters, digits and _");
        if (*count == FILTER_MAX_LABELS)
            return filter_text_fail(reader, err, "too many labels");
        memcpy(labels[*count].name, reader->at + 1, length);
        labels[(*count)++].name[length] = '\0';
        reader->at += length + 2;
    }
    return 0;
}

static int filter_text_read(struct filter_text *reader, struct filter_entry *entry,
                            struct error *err)
{
    size_t length = strcspn(reader->at, "=,;[ \n\t\r@");
    entry->offset = filter_text_offset(reader);
    if (!is_filter_name(reader->at, length))
        return filter_text_fail(reader, err,
                                length == 0 ? "a filter's name is missing"
                                            : "a filter's name is of letters, digits and _");
    memcpy(entry->name, reader->at, length);
    entry->name[length] = '\0';
    reader->at += length;
    if (*reader->at == '@') { /* a name of its own, which nothing here needs */
        length = strcspn(reader->at + 1, "=,;[ \n\t\r");
        if (!is_filter_name(reader->at + 1, length))
            return filter_text_fail(reader, err,
                                    "the name behind @ must be of letters, digits and _");
        reader->at += length + 1;
    }
    skip_blanks(reader);
    struct word word = {entry->args, entry->where, sizeof entry->args};
    bool closed = true;
    const char *end = reader->at;
    if (*reader->at == '=')
        end = read_word(reader->at + 1, reader->text, "[],;", &word, &closed);
    else
        entry->args[0] = '\0';
    if (!closed)
        return filter_text_fail(reader, err, "a quote (') has no end");
    if (word.full)
        return filter_text_fail(reader, err, "a filter's options are too long");
    reader->at = end;
    skip_blanks(reader);
    return 0;
}

int filter_text_next(struct filter_text *reader, struct filter_entry *entry, struct error *err)
{
    if (!*reader->at && reader->begun)
        return 0;
    reader->begun = true;
    if (read_labels(reader, entry->in, &entry->in_count, err) < 0 ||
        filter_text_read(reader, entry, err) < 0 ||
        read_labels(reader, entry->out, &entry->out_count, err) < 0)
        return -1;
    entry->goes_on = *reader->at == ',';
    if (*reader->at && *reader->at != ',' && *reader->at != ';')
        return filter_text_fail(reader, err, "a comma or semicolon is missing here");
    bool more = *reader->at;
    reader->at += more;
    skip_blanks(reader);
    if (more && !*reader->at)
        return filter_text_fail(reader, err,
                                "a filter is missing behind the last comma or semicolon");
    return 1;
}

/* ---- options ---- */

int filter_text_option(const struct filter_entry *entry, size_t *at, struct filter_option *option,
                       struct error *err)
{
    const char *p = entry->args + *at;
    if (!*p)
        return 0;
    p += strspn(p, BLANKS);
    option->offset = entry->where[p - entry->args];
    option->key[0] = '\0';
    size_t length = 0;
    while (isalnum((unsigned char)p[length]) || (p[length] && strchr("-_/.", p[length])))
        length++;
    const char *value = p + length + strspn(p + length, BLANKS);
    if (length > 0 && *value == '=') {
        if (length >= sizeof option->key) {
            error_set(err, (int)option->offset, "the filter %s has no option of that name",
                      entry->name);
            return -1;
        }
        memcpy(option->key, p, length);
        option->key[length] = '\0';
        p = value + 1;
    }
    struct word word = {option->value, NULL, sizeof option->value};
    bool closed;
    p = read_word(p, entry->args, ":", &word, &closed);
    if (!closed) {
        error_set(err, (int)option->offset, "a quote (') has no end");
        return -1;
    }
    *at = (size_t)(p - entry->args) + (*p == ':');
    return 1;
}
