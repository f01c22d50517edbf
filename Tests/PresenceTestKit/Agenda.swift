import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// What is going to happen in the world, in the order of time; at one instant, in the order in which it was planned.
struct Agenda: Sendable {
    private var plans: [(at: Instant, happening: Happening)] = []

    var next: Instant? { plans.first?.at }

    mutating func plan(_ happening: Happening, at instant: Instant) {
        let place = plans.lastIndex { $0.at <= instant }.map { $0 + 1 } ?? 0
        plans.insert((instant, happening), at: place)
    }

    /// Nothing takes long any more: what would come later comes by then.
    mutating func hurry(_ isHurried: (Happening) -> Bool, by instant: Instant) {
        let late = plans.filter { $0.at > instant && isHurried($0.happening) }
        plans.removeAll { $0.at > instant && isHurried($0.happening) }
        for (_, happening) in late { plan(happening, at: instant) }
    }

    mutating func popDue(at now: Instant) -> Happening? {
        guard let first = plans.first, first.at <= now else { return nil }
        return plans.removeFirst().happening
    }
}

/// A run of one server: a number of `World.sites`, and which of its starts.
struct Run: Hashable, Sendable {
    var site: Int
    var boot: UInt64
}

/// Something that comes from outside the engines.
enum Happening: Sendable {
    /// A transaction reaches its destination. A copy is not answered.
    case arrival(OutgoingTransaction, from: Run, to: Run, isAnswered: Bool, isCopy: Bool)
    /// The sender learns what became of a transaction.
    case outcome(DeliveryOutcome, of: OutgoingTransaction, at: Run)
    /// A server is told of one change in a room.
    case notice(RoomNotice, Run)
    /// A server that came back is told who is in its rooms now.
    case roomsTold(Run)
    /// A client reads what is new.
    case reading(client: Int, Run)
    /// A client opens a stream again after its server was away.
    case reopening(client: Int)
    /// The server falls after its next step.
    case doom(site: Int)
    case rise(Run)
    case linkFails(Int, Int)
    case linkHeals(Int, Int)
    /// As ``arrival(_:from:to:isAnswered:isCopy:)``, at one of today's servers, by number.
    case legacyArrival(OutgoingTransaction, from: Run, to: Int, isAnswered: Bool, isCopy: Bool)
    /// A transaction of one of today's servers reaches its destination.
    case legacyPush(LegacyServer.Push, to: Run)
    /// One of today's servers does what is due.
    case legacyTick(Int)
    /// A user of one of today's servers does something.
    case legacyAct(Int)
}

/// One way between two servers that loses everything.
struct LostWay: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case requests
        /// Requests arrive, and what they are answered with does not come back.
        case answers
    }

    /// Who makes the requests.
    var from: Int
    var to: Int
    var kind: Kind
}

/// What a homeserver says of a room to the server beside it.
struct RoomNotice: Hashable, Sendable {
    enum Change: Hashable, Sendable {
        case joined(UserID)
        case left(UserID)
        case forgotten
    }

    var room: RoomID
    var change: Change

    var event: PresenceEngine.Event {
        switch change {
        case .joined(let user): .roomJoined(user, room)
        case .left(let user): .roomLeft(user, room)
        case .forgotten: .roomForgotten(room)
        }
    }
}
