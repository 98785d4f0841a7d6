#include "gateway/session/session_state.h"

namespace holdfast {

FrameAction action_for(SessionState state, FrameKind kind) {
  if (state == SessionState::kAwaitHello) {
    return kind == FrameKind::kHello ? FrameAction::kLogIn : FrameAction::kCloseProtocolError;
  }
  if (state != SessionState::kOpen) return FrameAction::kCloseProtocolError;
  switch (kind) {
    case FrameKind::kPing:
      return FrameAction::kAnswerPing;
    case FrameKind::kPong:
    case FrameKind::kAck:
      return FrameAction::kNoteAlive;
    case FrameKind::kMessage:
      return FrameAction::kRouteMessage;
    case FrameKind::kSubscribe:
    case FrameKind::kUnsubscribe:
      return FrameAction::kChangeSubscriptions;
    case FrameKind::kGoaway:
      return FrameAction::kCloseGoodbye;
    case FrameKind::kHello:
    case FrameKind::kWelcome:
      break;
  }
  return FrameAction::kCloseProtocolError;
}

}  // namespace holdfast
