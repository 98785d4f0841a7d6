#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/openssl_handles.h"
#include "common/status.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/socket.h"
#include "tools/conn_flood/tls_failure.h"

// TLS as the client, by OpenSSL: what a worker's connections share, and one connection's own.
namespace holdfast::flood {

// What a server gave a client to resume by.
using TlsTicket = SslSessionHandle;

// The file of one device: `pattern` with each {id} replaced.
[[nodiscard]] std::string file_of_device(std::string_view pattern, std::string_view device_id);

// The settings of connections, and the certificates that are the same for all.
// Thread: made by one, then one worker's: what threads share, OpenSSL locks at each handshake.
class TlsClientContext final {
 public:
  // `options` outlives it. Loads every file that it names, those of `first_device_id` only to see
  // that they are there. Error: one cannot be read, or does not hold what it should.
  static Result<std::unique_ptr<TlsClientContext>> create(const TlsOptions& options,
                                                          std::string_view first_device_id);
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

 private:
  friend class TlsLink;

  explicit TlsClientContext(const TlsOptions& options);
  Status load_files(std::string_view first_device_id);
  bool is_verifying() const { return !options_.ca_file.empty(); }
  bool has_files_per_device() const;

  const TlsOptions& options_;
  SslContextHandle context_;
};

// One connection's TLS over a socket that another owns. Never blocks, leaves OpenSSL's error queue
// empty, and does not move: OpenSSL holds its address.
// Thread: its worker's.
// Owns: OpenSSL's object, and the ticket that the server gave.
class TlsLink final {
 public:
  // `context` outlives it, and `fd` is not closed before it is gone.
  TlsLink(const TlsClientContext& context, int fd);
  TlsLink(const TlsLink&) = delete;
  TlsLink& operator=(const TlsLink&) = delete;
  ~TlsLink();

  // Once, before the handshake. `ticket` (none: null) is offered to the server. Returns false when
  // the device's own certificate or key cannot be loaded: see failure().
  [[nodiscard]] bool prepare(const Address& target, std::string_view device_id, TlsTicket ticket);

  // Goes on with the handshake as far as the socket allows. kDone: it is over, as we see it.
  // In TLS 1.3 the server judges our certificate after that: its alert comes by read().
  [[nodiscard]] IoStatus shake_hands();

  // Once the handshake is over. read() gives at most a record: call it until it says kBlocked, for
  // what OpenSSL holds back is no new edge. After a write() that was blocked the same bytes come
  // first in the next one, in which more may follow them.
  [[nodiscard]] IoResult read(std::span<std::byte> bytes);
  [[nodiscard]] IoResult write(std::span<const std::byte> bytes);

  // Sends close_notify and waits for nothing. Not at all after a failure, or when the socket is
  // full.
  void say_close();

  // After kTlsFailed.
  const TlsFailure& failure() const { return failure_; }
  // Once the handshake is over.
  bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  bool has_offered_ticket() const { return has_offered_ticket_; }
  int version() const { return SSL_version(ssl_.get()); }  // TLS1_2_VERSION, TLS1_3_VERSION
  // The latest that is good for another connection; null when there is none.
  TlsTicket take_ticket() { return std::move(ticket_); }

 private:
  friend class TlsClientContext;
  static int on_new_ticket(SSL* ssl, SSL_SESSION* session);

  bool load_own_files(std::string_view device_id);
  void name_server(const Address& target);
  IoStatus status_of(int result);
  void note_failure();

  const TlsClientContext& context_;
  SslHandle ssl_;
  TlsTicket offered_;  // until the handshake is over
  TlsTicket ticket_;
  TlsFailure failure_;
  bool has_offered_ticket_ = false;
  bool can_say_close_ = false;
};

}  // namespace holdfast::flood
