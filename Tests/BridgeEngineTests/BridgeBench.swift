import BridgeEngine
import PresenceModel
import SocialEngine
import Testing

/// An engine with a clock, and what it ordered.
struct BridgeBench {
    var engine: BridgeEngine
    var now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
    var effects: [BridgeEngine.Effect] = []
    var records: [BridgeEngine.Record] = []

    init(_ adjust: (inout BridgeEngine.Configuration) -> Void = { _ in }) throws {
        var configuration = BridgeEngine.Configuration()
        configuration.participation = .optOut
        adjust(&configuration)
        engine = BridgeEngine(server: try ServerName(parsing: "here.example"), configuration: configuration, seed: 1)
    }

    mutating func perform(_ event: BridgeEngine.Event) {
        let new = engine.handle(event, at: now)
        for case .save(let record) in new { records.append(record) }
        effects += new.filter { if case .save = $0 { false } else { true } }
    }

    /// Lets time pass, meeting deadlines on the way.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while let next = engine.nextDeadline, next <= end {
            now = max(now, next)
            perform(.deadlineReached)
        }
        now = end
    }

    /// What was ordered since the last time.
    mutating func taken() -> [BridgeEngine.Effect] {
        defer { effects = [] }
        return effects
    }

    /// A linked user with an open session, nothing between them and anybody.
    mutating func join(
        _ user: UserID, _ address: SocialAddress, friends: [SocialAddress] = [], list: [UserID: Bond] = [:]
    ) {
        perform(.linkAdded(Link(user: user, address: address), .operator))
        perform(.listRead(user, list))
        perform(.sessionOpened(address))
        perform(.friendshipsRead(FriendshipReading(friends: friends), seenBy: address))
        perform(.snapshotReported([], seenBy: address))
    }

    mutating func see(
        _ friend: SocialAddress, _ state: FriendState, _ whereabouts: Whereabouts? = nil, by: SocialAddress
    ) {
        let sighting = FriendSighting(friend: friend, state: state, whereabouts: whereabouts)
        perform(.socialReported([sighting], seenBy: by))
    }

    /// The bridge falls, and comes back with what it kept.
    mutating func restart(_ configuration: BridgeEngine.Configuration? = nil) throws {
        engine = BridgeEngine(
            server: engine.server, configuration: configuration ?? engine.configuration, seed: 2)
        effects = []
        let kept = records
        records = []
        perform(.restored(kept.latest))
        records = kept + records
    }
}

extension [BridgeEngine.Record] {
    /// The latest for each key.
    var latest: [BridgeEngine.Record] {
        var rows: [String: BridgeEngine.Record] = [:]
        for record in self {
            switch record {
            case .link(let link, _): rows["link \(link.user)"] = record
            case .person(let user, _): rows["person \(user)"] = record
            case .beats(let address, _): rows["beats \(address)"] = record
            case .shown(let address, _): rows["shown \(address)"] = record
            case .ghost(let address): rows["ghost \(address)"] = record
            case .pair(let first, let second, _): rows["pair \(first) \(second)"] = record
            }
        }
        return rows.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension [BridgeEngine.Effect] {
    var heartbeats: [Whereabouts?] {
        compactMap { if case .heartbeat(_, let whereabouts, _) = $0 { .some(whereabouts) } else { nil } }
    }

    var presented: [Showing] { compactMap { if case .present(_, let showing, _) = $0 { showing } else { nil } } }
}

func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):here.example") }
func address(_ name: String) throws -> SocialAddress { try SocialAddress(parsing: name) }
func visible(_ state: PublishedState, _ text: String? = nil, _ source: MatrixView.Source = .devices) -> MatrixView {
    .visible(state, statusText: text, source)
}
func place(_ x: Int32, _ y: Int32, _ realm: String? = "main") -> Whereabouts {
    Whereabouts(realm: realm, parcel: .init(x: x, y: y))
}
