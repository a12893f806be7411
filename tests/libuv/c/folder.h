/* A directory for the files of a scenario. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stddef.h>

/* Makes an empty directory, goes there, and removes it when the scenario ends. */
void enter_folder(void);

/* Writes so many bytes to a file, which is made if it is not there. */
void write_file(const char *name, size_t length);

#endif
