#include "gateway/api/session_json.h"

#include <string>

#include <nlohmann/json.hpp>

namespace holdfast {

Json session_json(const SessionView& view) {
  Json session{
      {"device", view.device_id},
      {"user", view.user},
      {"app", view.app},
      {"os", view.os},
      {"net", view.net},
      {"peer", view.peer.text()},
      {"listener", view.listener},
      {"tls", nullptr},
      {"loop", view.loop},
      {"session_id", std::to_string(view.session_id)},
      {"connected_ms", view.connected_for_ms},
      {"idle_ms", view.idle_ms},
      {"heartbeat_s", view.heartbeat_s},
      {"timeout_s", view.timeout_s},
      {"next_heartbeat_s", nullptr},
      {"output_bytes", view.output_bytes},
  };
  if (view.next_heartbeat_s != 0) session["next_heartbeat_s"] = view.next_heartbeat_s;
  if (!view.tls.empty()) session["tls"] = view.tls;
  return session;
}

}  // namespace holdfast
