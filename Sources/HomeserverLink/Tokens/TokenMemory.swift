import ClientGateway
import MatrixWire
import PresenceModel

/// What the homeserver is asked: whose a token is, and for an application service in whose name it acts.
struct TokenQuestion: Hashable, Sendable {
    var token: TokenDigest
    /// As in the query, unchecked.
    var asserted: String?
}

/// What the homeserver said of tokens, and what it is being asked. Bounded; the oldest answer goes first.
struct TokenMemory {
    typealias Outcome = Result<Caller, MatrixErrorBody>

    /// What a question comes to.
    enum Step {
        case remembered(Caller)
        case underWay(Task<Outcome, Never>)
        case tooMany
    }

    private struct Entry {
        var caller: Caller
        var until: Instant
    }

    private struct LookUp {
        var place: UInt64
        var task: Task<Outcome, Never>
    }

    private let limit: Int
    private let life: Duration
    private var entries: [TokenQuestion: Entry] = [:]
    /// In the order of their ends; may name what was forgotten since.
    private var order: [(question: TokenQuestion, until: Instant)] = []
    private var firstInOrder = 0
    /// Tokens of application services, which have an answer for each user in whose name they act.
    private var services: Set<TokenDigest> = []
    private var lookUps: [TokenQuestion: LookUp] = [:]
    /// Look-ups under way, those included whose answer is not kept.
    private var running = 0
    private var places: UInt64 = 0

    init(limit: Int, life: Duration) {
        self.limit = limit
        self.life = life
    }

    var count: Int { entries.count }

    func caller(for question: TokenQuestion, at now: Instant) -> Caller? {
        if let entry = entries[question], entry.until > now { return entry.caller }
        // In whose name a user acts is of no account.
        guard question.asserted != nil, let entry = entries[TokenQuestion(token: question.token)], entry.until > now,
            entry.caller.kind != .applicationService
        else { return nil }
        return entry.caller
    }

    /// - Parameter start: starts a look-up, which comes back with ``end(_:_:_:at:)`` and its place.
    mutating func begin(
        _ question: TokenQuestion, at now: Instant, atMost most: Int, _ start: (UInt64) -> Task<Outcome, Never>
    ) -> Step {
        if let caller = caller(for: question, at: now) { return .remembered(caller) }
        if let lookUp = lookUps[question] { return .underWay(lookUp.task) }
        guard running < most else { return .tooMany }
        places += 1
        running += 1
        let task = start(places)
        lookUps[question] = LookUp(place: places, task: task)
        return .underWay(task)
    }

    /// A look-up ended. What was forgotten meanwhile is not kept.
    mutating func end(_ question: TokenQuestion, _ place: UInt64, _ outcome: Outcome, at now: Instant) {
        running -= 1
        guard lookUps[question]?.place == place else { return }
        lookUps[question] = nil
        guard case .success(let caller) = outcome else { return }
        remember(caller, for: question, at: now)
    }

    /// Keeps an answer, unless none is to be kept.
    mutating func remember(_ caller: Caller, for question: TokenQuestion, at now: Instant) {
        guard limit > 0, life > .zero else { return }
        makeRoom(at: now)
        var question = question
        if caller.kind == .applicationService {
            services.insert(question.token)
        } else {
            question.asserted = nil
        }
        entries[question] = Entry(caller: caller, until: now + life)
        order.append((question, now + life))
    }

    mutating func forget(_ token: TokenDigest) {
        entries[TokenQuestion(token: token)] = nil
        if services.remove(token) != nil { entries = entries.filter { $0.key.token != token } }
        lookUps = lookUps.filter { $0.key.token != token }
    }

    mutating func forget(_ user: UserID) {
        entries = entries.filter { $0.value.caller.key.user != user }
        // Of whom a look-up is cannot be told before its end.
        lookUps = [:]
    }

    private mutating func makeRoom(at now: Instant) {
        while firstInOrder < order.count {
            let (question, until) = order[firstInOrder]
            guard until <= now || entries.count >= limit else { break }
            if entries[question]?.until == until { entries[question] = nil }
            firstInOrder += 1
        }
        if entries.isEmpty { services = [] }
        if firstInOrder > 1000, firstInOrder * 2 > order.count {
            order.removeFirst(firstInOrder)
            firstInOrder = 0
        }
        // Tokens that are refused and looked up again leave their old places in the order.
        if order.count - firstInOrder > 2 * entries.count + 1000 {
            order = order[firstInOrder...].filter { entries[$0.question]?.until == $0.until }
            firstInOrder = 0
        }
    }
}
