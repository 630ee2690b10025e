/* Fake libnvidia-ml.so.1: enough of NVML's C interface for nvidia-ml-py (import pynvml), so that the code that
 * finds, names and weighs GPUs can be tested on a machine that has none. It invents numbers and drives no hardware.
 * README.md lists the FAKE_NVML_* variables that shape the pretend machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    FUNCTION_NOT_FOUND = 13,
    GPU_IS_LOST = 15
};

#define MAX_GPUS 16
#define MAX_MIG 7
#define MAX_PROCS 32
#define NO_INSTANCE 0xFFFFFFFFu
#define MB (1024ULL * 1024ULL)
#define API __attribute__((visibility("default")))

typedef struct { unsigned pid; unsigned long long mem; unsigned gi, ci; } proc_t;

typedef struct {
    int index, is_mig, mig_count, lost;
    unsigned long long total, used;
    unsigned util, temp, power_mw, nproc;
    proc_t procs[MAX_PROCS];
    char name[96], uuid[80];
} gpu_t;

static gpu_t gpus[MAX_GPUS], migs[MAX_GPUS][MAX_MIG];
static unsigned ngpus, refs;

/* ---- the environment ---- */

/* Item i of a comma-separated list; the last item serves every later index. */
static void item(const char *env, const char *dflt, unsigned i, char *out, size_t n) {
    const char *s = getenv(env), *end;
    if (!s || !*s) s = dflt;
    while ((end = strchr(s, ',')) && i--) s = end + 1;
    snprintf(out, n, "%.*s", (int)strcspn(s, ","), s);
}

static unsigned long long number(const char *env, const char *dflt, unsigned i) {
    char text[64];
    item(env, dflt, i, text, sizeof text);
    return strtoull(text, 0, 10);
}

/* Value of KEY in a list "KEY,KEY:VALUE,..."; dflt where it has none, -1 where KEY is not in the list. */
static int listed(const char *env, const char *key, int dflt) {
    size_t n = strlen(key);
    for (const char *s = getenv(env); s && *s; s += strspn(s, ",")) {
        size_t length = strcspn(s, ",");
        if (length >= n && !strncmp(s, key, n)) {
            if (length == n) return dflt;
            if (s[n] == ':') return atoi(s + n + 1);
        }
        s += length;
    }
    return -1;
}

static int listed_gpu(const char *env, int index, int dflt) {
    char key[16];
    snprintf(key, sizeof key, "%d", index);
    return listed(env, key, dflt);
}

/* ---- the pretend machine ---- */

static void make_uuid(gpu_t *g, const char *prefix, unsigned card, unsigned slot) {
    snprintf(g->uuid, sizeof g->uuid, "%s-%08x-fa4e-4e71-a000-%08x%04x", prefix, 0xc0de0000u + card,
             0xf00d0000u + card, slot);
}

static void make_mig(gpu_t *g, unsigned slot) {
    gpu_t *m = &migs[g->index][slot];
    *m = *g;
    m->is_mig = 1;
    m->total = g->total / (unsigned)g->mig_count;
    m->used = 0;
    snprintf(m->name, sizeof m->name, "%.60s MIG 1g", g->name);
    make_uuid(m, "MIG", (unsigned)g->index, slot + 1);
}

static void make_gpu(unsigned i) {
    gpu_t *g = &gpus[i];
    g->index = (int)i;
    item("FAKE_NVML_NAME", "NVIDIA Fake GPU 24GB", i, g->name, sizeof g->name);
    g->total = number("FAKE_NVML_MEM_MB", "24576", i) * MB;
    g->used = number("FAKE_NVML_USED_MB", "0", i) * MB;
    if (g->used > g->total) g->used = g->total;
    g->util = (unsigned)number("FAKE_NVML_UTIL", "0", i);
    g->temp = 40 + i;
    g->power_mw = 60000;
    g->lost = listed_gpu("FAKE_NVML_LOST", g->index, 1) > 0;
    make_uuid(g, "GPU", i, 0);
    g->mig_count = listed_gpu("FAKE_NVML_MIG", g->index, 1);
    if (g->mig_count > MAX_MIG) g->mig_count = MAX_MIG;
    for (int slot = 0; slot < g->mig_count; slot++) make_mig(g, (unsigned)slot);
}

static int start(void) {
    const char *error = getenv("FAKE_NVML_INIT_ERROR");
    if (error && atoi(error)) return atoi(error);
    ngpus = (unsigned)number("FAKE_NVML_GPUS", "1", 0);
    if (ngpus > MAX_GPUS) ngpus = MAX_GPUS;
    memset(gpus, 0, sizeof gpus);
    memset(migs, 0, sizeof migs);
    for (unsigned i = 0; i < ngpus; i++) make_gpu(i);
    return OK;
}

/* Read FAKE_NVML_STATE again: lines "INDEX key value" and "INDEX proc PID MB". */
static void refresh(gpu_t *g) {
    const char *path = getenv("FAKE_NVML_STATE");
    FILE *f = path && *path ? fopen(path, "r") : NULL;
    if (!f) return;
    char line[256], key[32];
    int i;
    unsigned long long v, w;
    g->nproc = 0;
    g->lost = listed_gpu("FAKE_NVML_LOST", g->index, 1) > 0;
    while (v = w = 0, fgets(line, sizeof line, f)) {
        if (sscanf(line, "%d %31s %llu %llu", &i, key, &v, &w) < 2 || i != g->index) continue;
        if (!strcmp(key, "used_mb")) g->used = v * MB < g->total ? v * MB : g->total;
        else if (!strcmp(key, "util")) g->util = (unsigned)v;
        else if (!strcmp(key, "temp")) g->temp = (unsigned)v;
        else if (!strcmp(key, "power_w")) g->power_mw = (unsigned)v * 1000;
        else if (!strcmp(key, "lost")) g->lost = v != 0;
        else if (!strcmp(key, "proc") && g->nproc < MAX_PROCS)
            g->procs[g->nproc++] = (proc_t){(unsigned)v, w * MB, NO_INSTANCE, NO_INSTANCE};
    }
    fclose(f);
}

/* Whether a query (named as in FAKE_NVML_FAIL) may be answered for this handle. */
static int check(gpu_t *d, const char *query) {
    if (!refs) return UNINITIALIZED;
    if (!d) return INVALID_ARGUMENT;
    refresh(d);
    if (d->lost) return GPU_IS_LOST;
    int error = listed("FAKE_NVML_FAIL", query, NOT_SUPPORTED);
    return error > 0 ? error : OK;
}

static int put(char *out, unsigned n, const char *s) {
    if (!out) return INVALID_ARGUMENT;
    if (strlen(s) + 1 > n) return INSUFFICIENT_SIZE;
    strcpy(out, s);
    return OK;
}

/* Define a query of one value: checked, then assigned. */
#define QUERY(function, query, type, expression) \
    API int function(gpu_t *d, type *out) { \
        int r = check(d, query); \
        if (!r) *out = (expression); \
        return r; \
    }

/* ---- library and system ---- */

API int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    int r = refs ? OK : start();
    if (!r) refs++;
    return r;
}
API int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
API int nvmlShutdown(void) {
    if (!refs) return UNINITIALIZED;
    refs--;
    return OK;
}
API const char *nvmlErrorString(int r) {
    switch (r) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    default: return "Unknown Error";
    }
}
API int nvmlSystemGetDriverVersion(char *v, unsigned n) { return refs ? put(v, n, "580.00.00-fake") : UNINITIALIZED; }
API int nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 13000; return OK; }
API int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!refs) return UNINITIALIZED;
    *count = ngpus;
    int error = listed("FAKE_NVML_FAIL", "count", NOT_SUPPORTED);
    return error > 0 ? error : OK;
}

/* ---- handles ---- */

API int nvmlDeviceGetHandleByIndex_v2(unsigned i, gpu_t **d) {
    if (!refs) return UNINITIALIZED;
    if (!d || i >= ngpus) return INVALID_ARGUMENT;
    *d = &gpus[i];
    return check(*d, "handle");
}
API int nvmlDeviceGetHandleByUUID(const char *u, gpu_t **d) {
    if (!refs) return UNINITIALIZED;
    if (!u || !d) return INVALID_ARGUMENT;
    for (unsigned i = 0; i < ngpus; i++) {
        gpu_t *found = strcmp(gpus[i].uuid, u) ? NULL : &gpus[i];
        for (int k = 0; k < gpus[i].mig_count; k++)
            if (!strcmp(migs[i][k].uuid, u)) found = &migs[i][k];
        if (found) {
            *d = found;
            return check(found, "handle");
        }
    }
    return NOT_FOUND;
}
API int nvmlDeviceGetMigDeviceHandleByIndex(gpu_t *d, unsigned k, gpu_t **out) {
    int r = check(d, "mig");
    if (r) return r;
    if ((int)k >= d->mig_count) return k < MAX_MIG ? NOT_FOUND : INVALID_ARGUMENT;
    *out = &migs[d->index][k];
    return OK;
}

/* ---- queries ---- */

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { char legacy[16]; unsigned domain, bus, device, device_id, subsystem_id; char bus_id[32]; } pci_t;

QUERY(nvmlDeviceGetIndex, "index", unsigned, (unsigned)d->index)
QUERY(nvmlDeviceGetMinorNumber, "index", unsigned, (unsigned)d->index)
QUERY(nvmlDeviceGetPowerUsage, "power", unsigned, d->power_mw)
QUERY(nvmlDeviceGetMaxMigDeviceCount, "mig", unsigned, d->mig_count >= 0 ? MAX_MIG : 0)
QUERY(nvmlDeviceIsMigDeviceHandle, "mig", unsigned, (unsigned)d->is_mig)
QUERY(nvmlDeviceGetUtilizationRates, "util", utilization_t, ((utilization_t){d->util, d->util / 2}))
QUERY(nvmlDeviceGetMemoryInfo, "memory", memory_t, ((memory_t){d->total, d->total - d->used, d->used}))
QUERY(nvmlDeviceGetMemoryInfo_v2, "memory", memory_v2_t,
      ((memory_v2_t){out->version, d->total, 0, d->total - d->used, d->used}))

API int nvmlDeviceGetName(gpu_t *d, char *s, unsigned n) {
    int r = check(d, "name");
    return r ? r : put(s, n, d->name);
}
API int nvmlDeviceGetUUID(gpu_t *d, char *s, unsigned n) {
    int r = check(d, "uuid");
    return r ? r : put(s, n, d->uuid);
}
API int nvmlDeviceGetTemperature(gpu_t *d, int sensor, unsigned *t) {
    (void)sensor;
    int r = check(d, "temp");
    if (!r) *t = d->temp;
    return r;
}
API int nvmlDeviceGetCudaComputeCapability(gpu_t *d, int *major, int *minor) {
    int r = check(d, "capability");
    if (r) return r;
    *major = 8;
    *minor = 9;
    return OK;
}
API int nvmlDeviceGetPciInfo_v3(gpu_t *d, pci_t *p) {
    int r = check(d, "pci");
    if (r) return r;
    *p = (pci_t){.bus = (unsigned)d->index + 1, .device_id = 0x000010deu, .subsystem_id = 0xfa4e10deu};
    snprintf(p->legacy, sizeof p->legacy, "0000:%02X:00.0", p->bus & 0xffu);
    snprintf(p->bus_id, sizeof p->bus_id, "00000000:%02X:00.0", p->bus & 0xffu);
    return OK;
}
API int nvmlDeviceGetMigMode(gpu_t *d, unsigned *current, unsigned *pending) {
    int r = check(d, "mig");
    if (r) return r;
    if (!getenv("FAKE_NVML_MIG")) return NOT_SUPPORTED; /* what consumer cards answer */
    *current = *pending = d->mig_count >= 0;
    return OK;
}
API int nvmlDeviceGetComputeRunningProcesses_v3(gpu_t *d, unsigned *count, proc_t *out) {
    int r = check(d, "processes");
    if (r) return r;
    unsigned room = *count;
    *count = d->nproc;
    if (!d->nproc) return OK;
    if (!out || room < d->nproc) return INSUFFICIENT_SIZE;
    memcpy(out, d->procs, d->nproc * sizeof *out);
    return OK;
}
