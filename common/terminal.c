#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l" /* alternate screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define NO_COLOR "\033[m"
#define BEGIN_UPDATE "\033[?2026h" /* terminals that know it show the page at once */
#define END_UPDATE "\033[?2026l"

static struct termios before;
static bool entered, keys_changed;

bool terminal_usable(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

bool terminal_colors(void)
{
    const char *refused = getenv("NO_COLOR");
    return terminal_usable() && !(refused && refused[0]);
}

bool terminal_utf8(void)
{
    static bool asked, is_utf8;
    if (!asked) {
        setlocale(LC_CTYPE, "");
        is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        asked = true;
    }
    return is_utf8;
}

bool terminal_keys(void)
{
    return isatty(STDIN_FILENO);
}

void terminal_enter(void)
{
    static bool registered;
    if (!registered)
        atexit(terminal_leave);
    registered = true;
    keys_changed = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (keys_changed) {
        struct termios quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    fputs(ENTER, stdout);
    fflush(stdout);
    entered = true;
}

void terminal_leave(void)
{
    if (!entered)
        return;
    entered = false;
    fputs(LEAVE, stdout);
    fflush(stdout);
    if (keys_changed)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static unsigned from_environment(const char *name, unsigned fallback)
{
    const char *text = getenv(name);
    long value = text ? strtol(text, NULL, 10) : 0;
    return value > 0 && value < 10000 ? (unsigned)value : fallback;
}

struct terminal_size terminal_size(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
        return (struct terminal_size){.columns = size.ws_col, .rows = size.ws_row};
    return (struct terminal_size){.columns = from_environment("COLUMNS", 80),
                                  .rows = from_environment("LINES", 24)};
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Of the sequence that begins or ends a colour; 0 if none is there. */
static size_t color_length(const char *text)
{
    size_t length = strncmp(text, "\033[", 2) == 0 ? 2 + strspn(text + 2, "0123456789;") : 0;
    return length && text[length] == 'm' ? length + 1 : 0;
}

size_t terminal_cut(const char *line, size_t columns)
{
    size_t length = 0;
    while (line[length] && line[length] != '\n') {
        size_t color = color_length(line + length);
        if (!color && !is_continuation(line[length]) && columns-- == 0)
            break;
        length += color ? color : 1;
    }
    return length;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    return lines;
}

bool terminal_show(const char *text)
{
    struct terminal_size size = terminal_size();
    unsigned lines = count_lines(text);
    unsigned shown = lines <= size.rows ? lines : size.rows - 1;
    fputs(BEGIN_UPDATE HOME, stdout);
    for (unsigned i = 0; i < shown; i++) {
        printf("%s" CLEAR_LINE "%.*s" NO_COLOR, i ? "\r\n" : "",
               (int)terminal_cut(text, size.columns), text);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (shown < lines) {
        char more[64];
        snprintf(more, sizeof more, "%u more lines", lines - shown);
        printf("%s" CLEAR_LINE "%.*s", shown ? "\r\n" : "", (int)size.columns, more);
    } else if (shown < size.rows) {
        fputs("\r\n" CLEAR_BELOW, stdout);
    }
    fputs(END_UPDATE, stdout);
    return fflush(stdout) == 0 && !ferror(stdout);
}

void terminal_clean(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            *c++ = '?';
        else if (*c >= ' ' && *c != 127)
            continue;
        *c = *c == '\t' ? ' ' : '?';
    }
}
