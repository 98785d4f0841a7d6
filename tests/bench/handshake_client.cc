#include "tests/bench/handshake_client.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace holdfast::bench {
namespace {

constexpr Nanoseconds kMillisecondNs = 1'000'000;

// Whether the server's side stands too.
bool is_proven(SSL& tls, const SslSessionHandle& ticket) {
  return ticket != nullptr || SSL_version(&tls) == TLS1_2_VERSION;
}

// Such as "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519".
std::string suite_of(SSL& tls) {
  const std::string suite = std::string(SSL_get_version(&tls)) + " " + SSL_get_cipher_name(&tls);
  EVP_PKEY* theirs = nullptr;
  if (SSL_get_peer_tmp_key(&tls, &theirs) != 1) return suite;
  const std::string exchange = EVP_PKEY_get0_type_name(theirs);
  EVP_PKEY_free(theirs);
  return suite + " " + exchange;
}

}  // namespace

HandshakeClient::HandshakeClient(const Address& target, uint32_t connections, const TlsContext& tls,
                                 Kind kind)
    : target_(target), tls_(tls), kind_(kind), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  HF_CHECK(epoll_.is_open());
  for (uint32_t i = 0; i < connections; ++i) connections_.push_back(std::make_unique<Connection>());
}

Status HandshakeClient::start() {
  for (auto& connection : connections_) {
    Status status = begin(*connection);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

Status HandshakeClient::run_until(Nanoseconds end) {
  while (monotonic_ns() < end && last_begin_.is_ok()) poll_until(end);
  return last_begin_;
}

bool HandshakeClient::finish(Nanoseconds give_up) {
  is_finishing_ = true;
  while (open_ > 0 && monotonic_ns() < give_up) poll_until(give_up);
  return open_ == 0;
}

// From many sources in turn, so that the ports of those just closed are not missed.
Status HandshakeClient::begin(Connection& connection) {
  connection.began = monotonic_ns();
  Result<DeviceStream> stream = DeviceStream::connect(target_, begun_++ % kSources, &tls_);
  if (!stream.is_ok()) return stream.status();
  connection.stream = std::move(stream.value());
  ++open_;
  connection.phase = Phase::kHandshake;
  connection.offered = std::move(connection.ticket);
  SSL& tls = *connection.stream.tls();
  keep_session_in(tls, connection.ticket);
  if (kind_ == Kind::kResumed && connection.offered != nullptr) {
    HF_CHECK(SSL_set_session(&tls, connection.offered.get()) == 1);
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.stream.fd(), &event) != 0) {
    return Status::error(std::string("epoll_ctl: ") + std::strerror(errno));
  }
  handshake(connection);
  return Status::ok();
}

void HandshakeClient::poll_until(Nanoseconds until) {
  const Nanoseconds now = monotonic_ns();
  const auto wait_ms = static_cast<int>(until > now ? (until - now) / kMillisecondNs + 1 : 0);
  const int count = epoll_wait(epoll_.get(), ready_.data(), kBatchMax, wait_ms);
  for (int i = 0; i < count; ++i) {
    advance(*static_cast<Connection*>(ready_[static_cast<size_t>(i)].data.ptr));
  }
}

// Within one event as far as it goes: the socket tells only of what is new.
void HandshakeClient::advance(Connection& connection) {
  if (connection.phase == Phase::kHandshake) handshake(connection);
  if (connection.phase == Phase::kNoTicket || connection.phase == Phase::kWaitForEnd) {
    read(connection);
  }
}

void HandshakeClient::handshake(Connection& connection) {
  const HandshakeStep step = connection.stream.handshake();
  if (step == HandshakeStep::kFailed) return fail(connection, "handshake: " + tls_error_text());
  if (step != HandshakeStep::kDone) return;
  tally_.latency_ns.record(monotonic_ns() - connection.began);
  connection.phase = Phase::kNoTicket;
}

// A ticket comes with a call that has no byte to show for it.
void HandshakeClient::read(Connection& connection) {
  std::array<std::byte, 256> ignored;
  ssize_t got = 0;
  do {
    complete_if_proven(connection);
    got = connection.stream.receive(ignored);
  } while (got > 0);
  if (got < 0 && errno == EAGAIN) return complete_if_proven(connection);
  if (connection.phase == Phase::kNoTicket) return fail(connection, "ended without a ticket");
  end(connection);
}

void HandshakeClient::complete_if_proven(Connection& connection) {
  SSL& tls = *connection.stream.tls();
  if (connection.phase != Phase::kNoTicket || !is_proven(tls, connection.ticket)) return;
  if (kind_ == Kind::kFull || connection.offered != nullptr) {
    ++tally_.completed;
    if (SSL_session_reused(&tls) == 1) ++tally_.resumed;
  }
  if (tally_.suite.empty()) tally_.suite = suite_of(tls);
  connection.phase = Phase::kWaitForEnd;
  connection.stream.end_sending();
}

// The end of one is the beginning of the next.
void HandshakeClient::end(Connection& connection) {
  connection.stream.close();
  connection.phase = Phase::kIdle;
  --open_;
  if (is_finishing_) return;
  Status status = begin(connection);
  if (!status.is_ok()) last_begin_ = std::move(status);
}

void HandshakeClient::fail(Connection& connection, const std::string& why) {
  if (tally_.failed++ == 0) tally_.first_failure = why;
  connection.ticket.reset();
  connection.stream.close();
  connection.phase = Phase::kIdle;
  --open_;
}

}  // namespace holdfast::bench
