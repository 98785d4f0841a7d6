#include "common/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/unique_fd.h"

namespace holdfast {
namespace {

Status cannot(const char* action, const std::filesystem::path& file, int error) {
  return Status::error("cannot " + std::string(action) + " " + file.string() + ": " +
                       std::system_category().message(error));
}

Status check_kind(const std::filesystem::path& file, const struct stat& about) {
  if (S_ISREG(about.st_mode)) return Status::ok();
  const char* const what = S_ISDIR(about.st_mode) ? " is a directory" : " is not a regular file";
  return Status::error(file.string() + what + ": name a file");
}

// A word that a shell takes as it stands, so that a command in an error can be pasted.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-+:@%";
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

Status check_privacy(const std::filesystem::path& file, const struct stat& about) {
  constexpr mode_t kGroupAndOthers = 077;
  if ((about.st_mode & kGroupAndOthers) == 0) return Status::ok();
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(about.st_mode & 07777));
  return Status::error(file.string() + " has mode " + mode +
                       ", open to others than its owner: chmod 600 " + shell_word(file.string()));
}

// One byte more than allowed is asked for, so that a file that grows meanwhile is noticed too.
Result<std::string> read_all(int fd, const std::filesystem::path& file, size_t bytes_max) {
  std::string text(bytes_max + 1, '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(fd, text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", file, errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  if (filled > bytes_max) {
    return Status::error(file.string() + " is too large: at most " + std::to_string(bytes_max) +
                         " bytes");
  }
  text.resize(filled);
  return text;
}

}  // namespace

Result<std::string> read_small_file(const std::filesystem::path& file, size_t bytes_max,
                                    FilePrivacy privacy) {
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!opened.is_open()) return cannot("open", file, errno);
  struct stat about {};
  if (::fstat(opened.get(), &about) != 0) return cannot("read", file, errno);
  if (Status kind = check_kind(file, about); !kind.is_ok()) return kind;
  if (privacy == FilePrivacy::kOwnerOnly) {
    if (Status priv = check_privacy(file, about); !priv.is_ok()) return priv;
  }
  return read_all(opened.get(), file, bytes_max);
}

}  // namespace holdfast
