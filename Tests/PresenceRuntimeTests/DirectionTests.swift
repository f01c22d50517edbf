import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

/// Presence that goes one way only between this server and others.
struct `Where presence goes` {
    private static let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    private static let room = "!r:x.org"

    /// What left, and what is known of `@bob:a.org`, after `@ada:x.org` came online in a room with bob, and bob's server
    /// polled ada and told of bob.
    private func outcome(
        _ directions: PresenceInstance.Directions, from snapshot: PresenceInstance.Snapshot
    ) throws -> (sent: [OutgoingTransaction], knowsBob: Bool) {
        let (server, peer) = (try ServerName(parsing: "x.org"), try ServerName(parsing: "a.org"))
        let (ada, bob) = (try UserID(parsing: "@ada:x.org"), try UserID(parsing: "@bob:a.org"))
        let device = DeviceKey(user: ada, device: try DeviceID(parsing: "D"))
        let room = try RoomID(parsing: `Where presence goes`.room)
        var instance = PresenceInstance(
            presence: PresenceEngine(server: server),
            federation: FederationEngine(server: server, boot: 1, seed: 1), directions: directions)
        var sent: [OutgoingTransaction] = []
        func carry(_ effects: [PresenceInstance.Effect], at now: Instant) {
            for case .send(let transaction) in effects {
                sent.append(transaction)
                let delivered = FederationEngine.Event.delivered(
                    to: transaction.destination, transaction: transaction.id)
                carry(instance.handle(.federation(delivered), at: now), at: now)
            }
        }
        carry(instance.start(from: snapshot, at: `Where presence goes`.start), at: `Where presence goes`.start)
        var message = PresenceMessage()
        message.poll = [ada]
        message.push = [.init(user: bob, presence: Presence(state: .busy, lastActive: nil))]
        message.speaksExtension = true
        let events: [PresenceInstance.Event] = [
            .presence(.userKnown(ada)), .presence(.roomJoined(ada, room)), .presence(.roomJoined(bob, room)),
            .presence(.streamOpened(StreamID(1), device, .online)),
            .federation(.received(from: peer, transaction: "1", [message], permissions: [])),
        ]
        for (second, event) in events.enumerated() {
            let now = `Where presence goes`.start + .seconds(second)
            carry(instance.handle(event, at: now), at: now)
        }
        for second in stride(from: 10, through: 600, by: 10) {
            let now = `Where presence goes`.start + .seconds(second)
            carry(instance.handle(.deadlineReached, at: now), at: now)
        }
        guard case .visible(.known(let presence)) = instance.presence.presence(of: bob, seenBy: ada) else {
            return (sent, false)
        }
        return (sent, presence.state == .busy)
    }

    private func snapshot() throws -> PresenceInstance.Snapshot {
        let (ada, bob) = (try UserID(parsing: "@ada:x.org"), try UserID(parsing: "@bob:a.org"))
        var snapshot = PresenceInstance.Snapshot()
        let until = `Where presence goes`.start + .hours(1)
        snapshot.federation.given = [(user: ada, server: try ServerName(parsing: "a.org"), until: until)]
        snapshot.federation.asked = [(user: bob, until: Optional(until))]
        snapshot.federation.permissions = [PermissionMessage(.accept, observed: ada, observer: bob, request: 1)]
        return snapshot
    }

    @Test func `is both ways unless something is switched off`() throws {
        let (sent, knowsBob) = try outcome(.both, from: try snapshot())
        #expect(knowsBob && sent.contains { $0.messages.contains { !$0.push.isEmpty } })
        #expect(sent.contains { $0.messages.contains { !$0.poll.isEmpty } })
        #expect(sent.contains { !$0.permissions.isEmpty })
    }

    @Test func `is nowhere without sending, and what comes unasked is still taken in`() throws {
        let (sent, knowsBob) = try outcome(.receive, from: try snapshot())
        #expect(sent == [], "\(sent)")
        #expect(knowsBob)
        #expect(try outcome(.none, from: try snapshot()).sent.isEmpty)
    }

    @Test func `is only outwards without receiving, and nobody is asked`() throws {
        let (sent, knowsBob) = try outcome(.send, from: try snapshot())
        #expect(!knowsBob && sent.contains { $0.messages.contains { !$0.push.isEmpty } })
        #expect(!sent.contains { $0.messages.contains { !$0.poll.isEmpty || !$0.watch.isEmpty || !$0.query.isEmpty } })
    }
}
