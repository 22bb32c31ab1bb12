/* `--arg case=NAME` chooses a case; README.md of the folder above says what each computes. */

#include "matrix.h"

#include <string.h>

static tdm_status matrix(tdm_job *job) {
    static const struct {
        const char *name;
        void (*build)(tdm_job *job);
    } cases[] = {
        {"sessions", sessions_case},
        {"side-outputs", side_outputs_case},
        {"errors", errors_case},
        {"state", state_case},
        {"joins", joins_case},
        {"broadcast", broadcast_case},
        {"failures", failures_case},
        {"watermarks", watermarks_case},
        {"windows-count", windows_count_case},
        {"windows-triggers", windows_triggers_case},
        {"windows-day", windows_day_case},
        {"state-ttl", state_ttl_case},
        {"map", map_figure},
        {"keyed-count", keyed_count_figure},
    };
    const char *name = tdm_arg(job, "case");
    for (size_t i = 0; name && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, name) != 0) continue;
        cases[i].build(job);
        return TDM_OK;
    }
    return tdm_job_error(job, "unknown case \"%s\"", name ? name : "");
}
TDM_JOB(matrix);
