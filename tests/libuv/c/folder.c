#include "folder.h"
#include "oracle.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/libuv-oracle-XXXXXX";

static void remove_folder(void) {
  DIR *entries = opendir(folder);
  struct dirent *entry;
  if (entries == NULL) return;
  while ((entry = readdir(entries)) != NULL) unlinkat(dirfd(entries), entry->d_name, 0);
  closedir(entries);
  rmdir(folder);
}

void enter_folder(void) {
  must(mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : UV_EIO);
  atexit(remove_folder);
}

void write_file(const char *name, size_t length) {
  static char bytes[64];
  int file = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
  must(file);
  must(write(file, bytes, length) == (ssize_t) length ? 0 : UV_EIO);
  close(file);
}
