import FederationEngine
import MatrixWire
import PresenceModel

// EDUs, whose ages count from when they were sent, ↔ messages, whose instants are on our own axis.
extension PresenceMessage {
    /// Ages count from arrival: other servers' clocks are not relied on.
    init(_ edu: PresenceEDU, arrived: Instant) {
        self.init()
        push = edu.push.map { push in
            let lastActive = push.lastActiveAgoMilliseconds.map { arrived.advanced(byMilliseconds: -$0) }
            return Report(
                user: push.user,
                presence: Presence(
                    state: push.state, statusText: push.statusText, lastActive: lastActive,
                    deviceType: push.deviceType))
        }
        poll = edu.poll
        unpoll = edu.unpoll
        query = edu.query
        watch = edu.watch
        promise = edu.promiseMilliseconds.map { .milliseconds(max(0, $0)) }
        reminder = edu.reminder.flatMap(Reminder.init)
        speaksExtension = edu.carriesExtension
    }

    /// Says nothing but that its sender takes part in subscribe and push.
    static var speakingExtension: PresenceMessage {
        var message = PresenceMessage()
        message.speaksExtension = true
        return message
    }

    func edu(composed: Instant, ageGranularityMilliseconds: Int64) -> PresenceEDU {
        PresenceEDU(
            push: push.map { report in
                PresencePush(
                    user: report.user, state: report.presence.state, statusText: report.presence.statusText,
                    lastActiveAgoMilliseconds: report.presence.coarseAgeMilliseconds(
                        at: composed, granularityMilliseconds: ageGranularityMilliseconds),
                    deviceType: report.presence.deviceType)
            },
            poll: poll, unpoll: unpoll, query: query, watch: watch, promiseMilliseconds: promise?.inMilliseconds,
            reminder: reminder?.wire)
    }
}

// Digests are 16 hexadecimal digits on the wire.
extension PresenceMessage.Reminder {
    /// `nil` if a digest is none of ours: there is nothing to compare then.
    fileprivate init?(_ wire: PresenceEDU.Reminder) {
        guard let promised = Summary(wire.promised) else { return nil }
        self.init(promised: promised, held: wire.held.flatMap(Summary.init), isComplete: wire.isComplete)
    }

    fileprivate var wire: PresenceEDU.Reminder {
        PresenceEDU.Reminder(promised: promised.wire, held: held?.wire, isComplete: isComplete)
    }
}

extension PresenceMessage.Reminder.Summary {
    fileprivate init?(_ wire: PresenceEDU.Reminder.Summary) {
        guard wire.digest.utf8.count == 16, let digest = UInt64(wire.digest, radix: 16) else { return nil }
        self.init(count: Int(wire.count), digest: digest)
    }

    fileprivate var wire: PresenceEDU.Reminder.Summary {
        let digits = String(digest, radix: 16)
        return PresenceEDU.Reminder.Summary(
            count: Int64(count), digest: String(repeating: "0", count: 16 - digits.utf8.count) + digits)
    }
}
