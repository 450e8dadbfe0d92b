// How this program is started once more. Under --loader its own path alone does not tell that.
#ifndef LOADER_H
#define LOADER_H

#include "conformance.h"

#define LOADER_PATH_MAX 8192
#define LOADER_COMMAND_MAX 4

// The path of this program's own file, also when a loader was started in its place. False: it cannot be told.
bool loader_self_path(char *path, size_t size);

// Whether this program was started by --loader.
bool loader_is_given(void);

// The first words of a command that starts this program as it was started itself, under the same loader: their number,
// at most LOADER_COMMAND_MAX, or 0 if its path is not known. The words stay valid until the next call.
unsigned loader_self_command(const char *command[LOADER_COMMAND_MAX]);

#endif
