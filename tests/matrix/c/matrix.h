/* The cases of the language matrix that are not examples, each in the file of its name. */
#ifndef MATRIX_H
#define MATRIX_H

#include "tidemill.h"

void sessions_case(tdm_job *job);
void side_outputs_case(tdm_job *job);
void errors_case(tdm_job *job);
void state_case(tdm_job *job);
void joins_case(tdm_job *job);
void broadcast_case(tdm_job *job);
void failures_case(tdm_job *job);
void watermarks_case(tdm_job *job);
void windows_count_case(tdm_job *job);
void windows_triggers_case(tdm_job *job);
void windows_day_case(tdm_job *job);
void state_ttl_case(tdm_job *job);
void map_figure(tdm_job *job);
void keyed_count_figure(tdm_job *job);

#endif
