import PresenceEngine
import PresenceModel

/// Why a server hears of a local user or does not, in sentences.
struct AudienceWords {
    let user: UserID
    let server: ServerName

    func sentences(_ audience: PresenceEngine.AudienceExplanation) -> [Sentence] {
        guard audience.isKnown || audience.reach != nil else {
            return [Sentence("no_such_user", "There is no user \(user) here.")]
        }
        var said = [verdict(audience)]
        if audience.grantedCount > 0 {
            let more = audience.grantedCount - audience.granted.count
            let names = audience.granted.map(\.text).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
            said.append(Sentence("granted_there", "\(user) gave leave to \(names)."))
        }
        if audience.requestedCount > 0 {
            said.append(
                Sentence("requested_there", "\(audience.requestedCount) of \(server) asked, and wait for \(user)."))
        }
        if audience.blockedCount > 0 {
            said.append(Sentence("blocked_there", "\(user) blocks \(audience.blockedCount) of \(server)."))
        }
        if audience.rooms.count > 0 {
            said.append(
                Sentence(
                    "rooms", "Rooms with users of \(server): \(RoomWords.list(audience.rooms, counted: true))."))
        }
        return said
    }

    private func verdict(_ audience: PresenceEngine.AudienceExplanation) -> Sentence {
        switch audience.reach {
        case .near:
            Sentence(
                "reach_near", "Somebody at \(server) may see \(user): by leave, or by a room that is not too large.")
        case .wide:
            Sentence(
                "reach_wide",
                "Somebody at \(server) may see \(user), but only by rooms with more than \(audience.nearRoomLimit) "
                    + "members (federation.legacy.room_limit): it is told if it asks, not by itself.")
        case nil:
            Sentence(
                "reach_none",
                "Nobody at \(server) may see \(user): nobody there was given leave, and no room that counts is shared.")
        }
    }
}
