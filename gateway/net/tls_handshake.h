#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/openssl_handles.h"
#include "gateway/net/tls_context.h"
#include "gateway/net/tls_outcome.h"
#include "gateway/net/tls_records.h"
#include "gateway/net/tls_secret_tap.h"

namespace holdfast {

// What a handshake has found out, beside the keys.
struct TlsFacts {
  TlsVersion version = TlsVersion::k13;
  bool is_resumed = false;
  bool checks_device_id = false;          // HELLO's id must be one of device_names
  std::vector<std::string> device_names;  // of the client's certificate
};

// One client's handshake: bytes in, bytes out, and at the end the keys for its records. OpenSSL's
// object lives from the first step to the last and no longer.
// Thread: one at a time; it is handed to the thread that does the next step and back.
// Owns: OpenSSL's object and its buffers.
// Limit: kStepsMax steps, kInputBytesMax of input between two.
class TlsHandshake final {
 public:
  // The most that may wait for a step: a certificate message that OpenSSL accepts is no longer.
  static constexpr size_t kInputBytesMax = 131072;
  // What one costs while it lasts, and before its first step, when it is a ClientHello that waits.
  // Counted as the connection's memory.
  static constexpr size_t kBytes = 49152;
  static constexpr size_t kBytesBeforeFirstStep = 2048;

  enum class Status : uint8_t {
    kWantsInput,  // and its output, if any, is to be sent
    kDone,        // records() and facts() are there, leftover() too
    kFailed,      // failure() says why; the output tells the client
  };

  explicit TlsHandshake(std::shared_ptr<const TlsContext> context);
  TlsHandshake(const TlsHandshake&) = delete;
  TlsHandshake& operator=(const TlsHandshake&) = delete;
  ~TlsHandshake();

  // Before a step: what the client has sent. False when it is more than any client has to say.
  [[nodiscard]] bool add_input(std::span<const std::byte> bytes);
  // The next step takes a few hundred microseconds at most, whatever the client sends: the server's
  // keys sign quickly, there is no certificate to verify, and there are too few bytes, those of
  // earlier steps included, for hundreds of tickets to try. A usual client's hello has 250 to 600
  // bytes, one with a post-quantum key share 1,800.
  bool is_short() const;
  // A whole record waits: a step would come further.
  bool has_whole_record() const;

  // Does what the input allows: with an RSA key up to milliseconds of a processor's time.
  Status step();

  Status status() const { return status_; }
  TlsFailure failure() const { return failure_; }
  // OpenSSL's words for it, for the log.
  const std::string& failure_text() const { return failure_text_; }
  // What the last step has to say; until the next.
  std::span<const std::byte> output() const { return output_; }

  // Once it is done.
  TlsRecords& records() { return records_; }
  TlsFacts& facts() { return facts_; }
  // Input behind the handshake's last byte.
  std::span<const std::byte> leftover() const { return input_; }

 private:
  static constexpr int kStepsMax = 64;
  static constexpr size_t kShortInputBytesMax = 2560;

  static const BIO_METHOD* bio_method();
  static int on_read(BIO* bio, char* bytes, int wanted);
  static int on_write(BIO* bio, const char* bytes, int count);
  bool open();
  Status run();
  Status fail(TlsFailure failure);
  Status fail_by_openssl(int error);
  Status finish();
  void note_records();
  bool make_records(TlsAead aead);
  bool make_tls12_records(TlsAead aead);
  void note_facts();

  std::shared_ptr<const TlsContext> context_;
  SslHandle ssl_;
  std::vector<std::byte> input_;
  size_t readable_ = 0;     // of input_, by OpenSSL: whole records
  size_t read_ = 0;         // of these
  size_t read_before_ = 0;  // by earlier steps
  std::vector<std::byte> output_;
  Status status_ = Status::kWantsInput;
  TlsFailure failure_ = TlsFailure::kInternal;
  std::string failure_text_;
  int steps_ = 0;

  Tls13Secrets secrets_;
  uint64_t data_records_written_ = 0;  // by the last step
  bool has_changed_cipher_ = false;    // TLS 1.2: what this side writes is sealed
  TlsDirection finished_;              // TLS 1.2: iv's last eight bytes are Finished's nonce

  TlsRecords records_;
  TlsFacts facts_;
};

}  // namespace holdfast
