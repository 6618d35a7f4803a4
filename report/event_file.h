/* Event files of TensorBoard: scalars and histograms over steps.
 *
 *     EventFile f;
 *     if (event_file_open(&f, "runs/a", 0, &e) != HONE_OK) ...
 *     event_scalar(&f, step, "loss/train", 0.31);
 *     if (event_file_flush(&f, &e) != HONE_OK) ...
 *     event_file_close(&f);
 *
 * A file is a chain of records: length (u64), masked CRC-32C of the length, data, masked CRC-32C of
 * the data, all little-endian; masked(c) = (c >> 15 | c << 17) + 0xa282ead8. Data is a protocol
 * buffer, an Event: wall_time 1, step 2, file_version 3, summary 5, session_log 7; a Summary is
 * repeated values 1 of tag 1 and simple_value 2 or histo 5. (tensorflow/core/lib/io/record_writer.h,
 * core/util/event.proto, core/framework/summary.proto and histogram.proto for the numbers.)
 *
 * What is added stays in memory until a flush; that memory is kept, so that a file in use allocates no
 * more. Not for reading. SPDX-License-Identifier: Apache-2.0 */
#ifndef HONE_REPORT_EVENT_FILE_H
#define HONE_REPORT_EVENT_FILE_H

#include "core/error.h"
#include "core/text.h"
#include "report/histogram.h"

typedef struct EventFile {
    int file; /* -1: closed */
    char *path;
    Text pending; /* records to be written */
    /* The messages that are being made, one inside the other; they keep their memory. */
    Text event, summary, value, histo, limits, counts;
} EventFile;

/* Makes a new file in folder, named events.out.tfevents.<seconds>.<host>.<process>.<n>, and says that
 * a session starts at `step`: TensorBoard then drops what older files of the folder say from there
 * on, which a run that was killed may have left. Errors: ERR_IO, ERR_MEMORY. */
HONE_CHECKED int event_file_open(EventFile *f, const char *folder, int64_t step, Error *e);
/* What was not flushed is lost. f may be closed or zeroed with file = -1. */
void event_file_close(EventFile *f);

/* Add a number, or a distribution, under a name with slashes ("loss/train"). Running out of memory
 * shows in event_file_flush. */
void event_scalar(EventFile *f, int64_t step, const char *tag, double value);
void event_histogram(EventFile *f, int64_t step, const char *tag, const Histogram *h);
/* Writes what was added since. Errors: ERR_IO, ERR_MEMORY. */
HONE_CHECKED int event_file_flush(EventFile *f, Error *e);

#endif
