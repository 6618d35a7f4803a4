/* Tests of image files, of fitting them to a size and of image folders. What is right is said by
 * Pillow, NumPy and PyTorch (tests/oracle/images.py). SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"
#include "datasets/image.h"
#include "datasets/kind.h"
#include "tests/allocations.h"
#include "tests/expect.h"
#include "tests/folder.h"
#include "tests/oracle/image_fixtures.h"
#include "tests/suites.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = sizeof image_files / sizeof image_files[0] };

static const struct ImageFixture *fixture(const char *name)
{
    for (int i = 0; i < FILES; i++)
        if (strcmp(image_files[i].name, name) == 0)
            return &image_files[i];
    ck_abort_msg("no fixture %s", name);
    return NULL;
}

static bool is_png(const struct ImageFixture *f)
{
    return f->bytes[0] == 0x89;
}

static int decode(Image *image, const struct ImageFixture *f, const uint8_t *bytes, size_t count,
                  Error *e)
{
    *image = (Image){0};
    return is_png(f) ? image_decode_png(image, "x", bytes, count, e)
                     : image_decode_jpeg(image, "x", bytes, count, e);
}

/* ---- decoding -------------------------------------------------------------------------------- */

START_TEST(decodes)
{
    Error e = {0};
    Image image;
    const struct ImageFixture *f = &image_files[_i];
    OK(decode(&image, f, f->bytes, f->count, &e));
    ck_assert_int_eq(image.height, f->height);
    ck_assert_int_eq(image.width, f->width);
    ck_assert_int_eq(image.channels, f->channels);
    int tolerance = is_png(f) ? 0 : 1; /* libraries may round a JPEG differently */
    for (int i = 0; i < f->height * f->width * f->channels; i++)
        ck_assert_msg(abs(image.pixels[i] - f->pixels[i]) <= tolerance, "%s: byte %d is %d, not %d",
                      f->name, i, image.pixels[i], f->pixels[i]);
    image_release(&image);
}
END_TEST

START_TEST(refuses_every_cut)
{
    const struct ImageFixture *f = &image_files[_i];
    for (size_t n = 0; n < f->count; n++) {
        Error e = {0};
        Image image;
        uint8_t *cut = malloc(n + 1); /* of its own, so that sanitizers see a byte too far */
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, f->bytes, n);
        ck_assert_msg(decode(&image, f, cut, n, &e) == HONE_ERR_DATA, "%s cut at %zu", f->name, n);
        ck_assert_msg(strncmp(e.text, "'x': byte ", 10) == 0, "%s", e.text);
        image_release(&image);
        free(cut);
    }
}
END_TEST

/* Damage is refused or decoded, never worse. */
START_TEST(survives_changed_bytes)
{
    const struct ImageFixture *f = &image_files[_i];
    uint8_t *bytes = malloc(f->count);
    ck_assert_ptr_nonnull(bytes);
    Rng rng = rng_at(5, RNG_TEST, (uint64_t)_i, 0);
    for (int round = 0; round < 400; round++) {
        Error e = {0};
        Image image;
        memcpy(bytes, f->bytes, f->count);
        for (int k = 0; k <= round % 3; k++)
            bytes[rng_below(&rng, (uint32_t)f->count)] = (uint8_t)rng_u32(&rng);
        int status = decode(&image, f, bytes, f->count, &e);
        ck_assert(status == e.code);
        image_release(&image);
    }
    free(bytes);
}
END_TEST

static void read_refused(const char *f, const char *name, const void *bytes, size_t count,
                         const char *words)
{
    Error e = {0};
    Image image;
    char path[512], sentence[1024];
    folder_write(f, name, bytes, count);
    snprintf(path, sizeof path, "%s/%s", f, name);
    snprintf(sentence, sizeof sentence, "'%s'%s", path, words);
    ck_assert_int_eq(image_read(&image, path, &e), HONE_ERR_DATA);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(image.pixels);
}

START_TEST(refuses_with_the_byte)
{
    char f[64];
    folder_make(f);
    uint8_t bytes[2048];
    const struct ImageFixture *jpeg = fixture("jpeg_gray"), *png = fixture("png_gray");
    read_refused(f, "a.jpg", "GIF89a", 6,
                 ": byte 0: neither a JPEG nor a PNG file starts like this");
    read_refused(f, "a.png", "", 0, ": byte 0: neither a JPEG nor a PNG file starts like this");
    read_refused(f, "a.jpg", jpeg->bytes, jpeg->count - 2,
                 ": byte 350: Premature end of JPEG file");
    read_refused(f, "a.jpg", jpeg_cmyk, sizeof jpeg_cmyk,
                 ": an image of 4 colour components; gray and RGB are read");
    read_refused(f, "a.png", png->bytes, 40, ": byte 40: the file ends here");
    memcpy(bytes, png->bytes, png->count);
    bytes[18] = 0xff; /* a width of 65287, which the checksum tells */
    read_refused(f, "a.png", bytes, png->count, ": byte 33: IHDR: CRC error");
    memcpy(bytes, jpeg->bytes, jpeg->count);
    for (size_t i = 0; i + 9 < jpeg->count; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0) /* frame: height and width at 5 and 7 */
            memset(bytes + i + 5, 0xfd, 4);
    read_refused(f, "a.jpg", bytes, jpeg->count,
                 " says it has 65021 x 65021 pixels; at most 67108864 are read");
    folder_remove(f);
}
END_TEST

START_TEST(image_out_of_memory)
{
    char f[64];
    folder_make(f);
    char path[512];
    const struct ImageFixture *file = &image_files[_i];
    folder_write(f, "image", file->bytes, file->count);
    snprintf(path, sizeof path, "%s/image", f);
    bool failed = allocations_available();
    for (int n = 1; failed; n++) {
        Error e = {0};
        Image image;
        uint8_t out[27];
        allocations_fail_at(n);
        int status = image_read(&image, path, &e);
        if (status == HONE_OK)
            status = image_fit(&image, 3, 3, 4 - image.channels, IMAGE_CROP, out, &e);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert(status == HONE_OK || (failed && e.code == status));
        image_release(&image);
    }
    folder_remove(f);
}
END_TEST

/* ---- fitting --------------------------------------------------------------------------------- */

START_TEST(resizes)
{
    Error e = {0};
    const struct ResizeFixture *r = &resized[_i];
    int count = r->height * r->width * 3;
    uint8_t *out = malloc((size_t)count), copy[sizeof resize_source];
    ck_assert_ptr_nonnull(out);
    memcpy(copy, resize_source, sizeof copy);
    Image image = {6, 9, 3, copy};
    OK(image_fit(&image, r->height, r->width, 3, IMAGE_STRETCH, out, &e));
    for (int i = 0; i < count; i++)
        ck_assert_msg(fabs(out[i] - r->values[i]) <= 0.5006, "%dx%d, byte %d: %d, not %g",
                      r->height, r->width, i, out[i], r->values[i]);
    free(out);
}
END_TEST

START_TEST(crops_around_the_centre)
{
    Error e = {0};
    uint8_t wide[2 * 7], high[7 * 2], out[4];
    for (int i = 0; i < 14; i++) {
        wide[i] = (uint8_t)(10 * (i % 7) + i / 7);
        high[i] = (uint8_t)(10 * (i / 2) + i % 2);
    }
    OK(image_fit(&(Image){2, 7, 1, wide}, 2, 2, 1, IMAGE_CROP, out, &e));
    ck_assert_mem_eq(out, ((uint8_t[]){20, 30, 21, 31}), 4);
    OK(image_fit(&(Image){7, 2, 1, high}, 2, 2, 1, IMAGE_CROP, out, &e));
    ck_assert_mem_eq(out, ((uint8_t[]){20, 21, 30, 31}), 4);
    OK(image_fit(&(Image){7, 2, 1, high}, 1, 1, 1, IMAGE_STRETCH, out, &e));
    ck_assert_uint_eq(out[0], 31); /* 30.5 */
}
END_TEST

START_TEST(gray_and_colour)
{
    Error e = {0};
    uint8_t rgb[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}, gray[4], colour[12];
    OK(image_fit(&(Image){1, 4, 3, rgb}, 1, 4, 1, IMAGE_CROP, gray, &e));
    ck_assert_mem_eq(gray, ((uint8_t[]){76, 150, 29, 255}), 4); /* as Pillow's convert('L') */
    OK(image_fit(&(Image){1, 4, 1, gray}, 1, 4, 3, IMAGE_CROP, colour, &e));
    for (int i = 0; i < 12; i++)
        ck_assert_uint_eq(colour[i], gray[i / 3]);
}
END_TEST

START_TEST(names)
{
    static const char *const yes[] = {"a.jpg", "a.JPEG", "b.c.Png", ".png"};
    static const char *const no[] = {"a.gif", "jpg", "a.jpg.txt", "", "a.jpgx"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        ck_assert(image_name(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        ck_assert(!image_name(no[i]));
}
END_TEST

/* ---- folders --------------------------------------------------------------------------------- */

enum { PER_CLASS = 40 };

/* Two classes in folder, of one gray PNG each under many names. */
static void write_classes(const char *f, const char *folder, int count)
{
    static const char *const classes[] = {"cat", "dog"}, *const images[] = {"png_gray", "png_bits"};
    for (int k = 0; k < 2; k++) {
        const struct ImageFixture *image = fixture(images[k]);
        for (int i = 0; i < count; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s/%s_%d.%s", folder, classes[k], classes[k], i,
                     i % 2 ? "png" : "JPG");
            folder_write(f, name, image->bytes, image->count);
        }
    }
}

static DatasetOptions images_in(const char *f)
{
    return (DatasetOptions){.path = f,
                            .size = {2, {3, 4}},
                            .channels = 1,
                            .fit = IMAGE_STRETCH,
                            .test_share = 0.25,
                            .cache_mb = 1};
}

static Dataset *open_images(DatasetOptions o)
{
    Error e = {0};
    Dataset *d = NULL;
    OK(dataset_open_kind(&d, &dataset_images, &o, "/nonexistent", &e));
    return d;
}

/* The pixels that a sample of class k must have. */
static void expected(int k, uint8_t out[12])
{
    Error e = {0};
    Image image;
    const struct ImageFixture *f = fixture(k ? "png_bits" : "png_gray");
    OK(decode(&image, f, f->bytes, f->count, &e));
    OK(image_fit(&image, 3, 4, 1, IMAGE_STRETCH, out, &e));
    image_release(&image);
}

START_TEST(folder_is_split_by_hash)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    uint8_t pixels[12], wanted[2][12];
    int32_t label;
    write_classes(f, "", PER_CLASS);
    folder_text(f, "cat/notes.txt", "not an image");
    folder_text(f, "README", "nor a class");
    folder_add(f, ".hidden");
    expected(0, wanted[0]);
    expected(1, wanted[1]);
    DatasetOptions o = images_in(f);
    for (o.cache_mb = 0; o.cache_mb < 2; o.cache_mb++) {
        Dataset *d = open_images(o);
        const DatasetInfo *info = dataset_info(d);
        int64_t train = info->count[DATASET_TRAIN], test = info->count[DATASET_TEST];
        ck_assert_int_eq(info->classes, 2);
        ck_assert_str_eq(info->class_names[0], "cat");
        ck_assert_str_eq(info->class_names[1], "dog");
        ck_assert_int_eq(train + test, 2 * PER_CLASS);
        ck_assert(test >= 10 && test <= 30);      /* 20 +- 2.6 deviations, once and for all */
        for (int round = 0; round < 2; round++) { /* the second from the cache */
            int seen[2] = {0}, turns = 0;
            for (int64_t i = 0, before = -1; i < 2 * PER_CLASS; i++) {
                bool first = i < train;
                OK(dataset_sample(d, first ? DATASET_TRAIN : DATASET_TEST, 0, first ? i : i - train,
                                  pixels, &label, &e));
                ck_assert(label == 0 || label == 1);
                ck_assert_mem_eq(pixels, wanted[label], sizeof pixels);
                turns += label != before;
                before = label;
                seen[label]++;
            }
            ck_assert_int_eq(seen[0], PER_CLASS);
            ck_assert(turns > PER_CLASS / 2); /* not one class after the other */
        }
        dataset_close(d);
    }
    folder_remove(f);
}
END_TEST

START_TEST(folder_with_train_and_test)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    uint8_t pixels[12];
    int32_t label;
    write_classes(f, "train/", 6);
    write_classes(f, "test/", 2);
    DatasetOptions o = images_in(f);
    o.train = 5;
    Dataset *d = open_images(o);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TRAIN], 5);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TEST], 4);
    OK(dataset_sample(d, DATASET_TEST, 0, 3, pixels, &label, &e));
    dataset_close(d);
    folder_remove(f);
}
END_TEST

static void images_refused(DatasetOptions o, int code, const char *format, const char *a,
                           const char *b)
{
    Error e = {0};
    Dataset *d = NULL;
    char sentence[1024];
    snprintf(sentence, sizeof sentence, format, a, b);
    ck_assert_int_eq(dataset_open_kind(&d, &dataset_images, &o, "/no", &e), code);
    ck_assert_str_eq(e.text, sentence);
    ck_assert_ptr_null(d);
}

START_TEST(folder_refused)
{
    char f[64];
    folder_make(f);
    DatasetOptions o = images_in(f), other = o;
    images_refused(o, HONE_ERR_DATA,
                   "images: %s has 0 folders; it takes one for each of two classes or more", f, "");
    folder_add(f, "eel");
    images_refused(o, HONE_ERR_DATA,
                   "images: %s has 1 folder; it takes one for each of two classes or more", f, "");
    write_classes(f, "", 6);
    images_refused(o, HONE_ERR_DATA, "images: %s/eel has no .jpg, .jpeg or .png file", f, "");
    folder_write(f, "eel/one.png", image_files[0].bytes, image_files[0].count);
    other.test_share = 0.999999;
    images_refused(other, HONE_ERR_DATA,
                   "images: all files of %s/cat fall into the test split; a smaller "
                   "dataset.test_share leaves some for training",
                   f, "");
    other.test_share = 1e-9;
    images_refused(other, HONE_ERR_DATA,
                   "images: no file of %s falls into the test split; raise dataset.test_share", f,
                   "");
    other = o;
    other.channels = 2;
    images_refused(other, HONE_ERR_CONFIG, "images: dataset.channels is 2; it is 3, or 1 for gray",
                   "", "");
    other = o;
    other.path = "";
    images_refused(other, HONE_ERR_CONFIG,
                   "images: dataset.path must name the folder of the classes", "", "");
    other.path = "/no/where";
    images_refused(other, HONE_ERR_IO,
                   "images: cannot read the folder /no/where: No such file or directory", "", "");
    write_classes(f, "train/", 2);
    write_classes(f, "test/", 2);
    folder_add(f, "test/yak");
    images_refused(o, HONE_ERR_DATA, "images: %s/test/yak is no class: there is no %s/train/yak", f,
                   f);
    folder_remove(f);
}
END_TEST

/* What only a sample can find is told with the file's name. */
START_TEST(sample_refused)
{
    Error e = {0};
    char f[64];
    folder_make(f);
    uint8_t pixels[12];
    int32_t label;
    char sentence[1024];
    write_classes(f, "train/", 1);
    write_classes(f, "test/", 1);
    folder_text(f, "test/cat/cat_0.JPG", "no");
    Dataset *d = open_images(images_in(f));
    int status = HONE_OK;
    for (int i = 0; i < 2 && status == HONE_OK; i++)
        status = dataset_sample(d, DATASET_TEST, 0, i, pixels, &label, &e);
    ck_assert_int_eq(status, HONE_ERR_DATA);
    snprintf(sentence, sizeof sentence,
             "images: '%s/test/cat/cat_0.JPG': byte 0: neither a JPEG nor a PNG file starts like "
             "this",
             f);
    ck_assert_str_eq(e.text, sentence);
    dataset_close(d);
    folder_remove(f);
}
END_TEST

/* The folders say what is normal; no file is opened for it. */
START_TEST(normal_without_decoding)
{
    char f[64];
    folder_make(f);
    write_classes(f, "train/", 2);
    write_classes(f, "test/", 1);
    folder_text(f, "train/cat/cat_0.JPG", "no");
    DatasetOptions o = images_in(f);
    o.normal = (OptionInts){1, {0}};
    Dataset *d = open_images(o);
    ck_assert_int_eq(dataset_info(d)->count[DATASET_TRAIN], 2);
    ck_assert_int_eq(dataset_info(d)->classes, 2);
    dataset_close(d);
    folder_remove(f);
}
END_TEST

START_TEST(folder_out_of_memory)
{
    char f[64];
    folder_make(f);
    write_classes(f, "", 6);
    DatasetOptions o = images_in(f);
    bool failed = allocations_available();
    for (int n = 1; failed; n++) {
        Error e = {0};
        Dataset *d = NULL;
        long alive = allocations_alive();
        allocations_fail_at(n);
        int status = dataset_open_kind(&d, &dataset_images, &o, "", &e);
        failed = allocations_failed();
        allocations_fail_at(0);
        ck_assert(status == HONE_OK || (failed && e.code == status));
        dataset_close(d);
        ck_assert_int_eq(allocations_alive(), alive);
    }
    folder_remove(f);
}
END_TEST

START_TEST(real_flowers)
{
    Error e = {0};
    const char *root = getenv("HONE_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/flowers128", root != NULL ? root : "");
    if (root == NULL || access(path, R_OK) != 0) {
        puts("test_images: flowers128 is skipped: it is not in HONE_DATA");
        return;
    }
    Dataset *d = NULL;
    DatasetOptions o = {.path = "flowers128",
                        .size = {2, {32, 32}},
                        .channels = 3,
                        .test_share = 0.2,
                        .cache_mb = 100};
    OK(dataset_open_kind(&d, &dataset_images, &o, root, &e));
    const DatasetInfo *info = dataset_info(d);
    ck_assert_int_eq(info->count[DATASET_TRAIN] + info->count[DATASET_TEST], 4317);
    ck_assert_int_eq(info->classes, 5);
    uint8_t pixels[32 * 32 * 3];
    int32_t label;
    for (int64_t i = 0; i < info->count[DATASET_TEST]; i++)
        OK(dataset_sample(d, DATASET_TEST, 0, i, pixels, &label, &e));
    dataset_close(d);
}
END_TEST

Suite *suite_images(void)
{
    Suite *s = suite_create("images");
    TCase *t = tcase_create("images");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, decodes, 0, FILES);
    tcase_add_loop_test(t, refuses_every_cut, 0, FILES);
    tcase_add_loop_test(t, survives_changed_bytes, 0, FILES);
    tcase_add_test(t, refuses_with_the_byte);
    tcase_add_loop_test(t, image_out_of_memory, 0, FILES);
    tcase_add_loop_test(t, resizes, 0, (int)(sizeof resized / sizeof resized[0]));
    tcase_add_test(t, crops_around_the_centre);
    tcase_add_test(t, gray_and_colour);
    tcase_add_test(t, names);
    tcase_add_test(t, folder_is_split_by_hash);
    tcase_add_test(t, folder_with_train_and_test);
    tcase_add_test(t, folder_refused);
    tcase_add_test(t, sample_refused);
    tcase_add_test(t, normal_without_decoding);
    tcase_add_test(t, folder_out_of_memory);
    tcase_add_test(t, real_flowers);
    suite_add_tcase(s, t);
    return s;
}
