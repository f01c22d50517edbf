import FoundationEssentials
import PresenceModel
import SocialWire

/// Both ends of a connection, frames that take their time, an application that asks and procedures that answer, all by
/// a seed. What each side was told is compared with what the other did.
struct PairWorld {
    typealias Server = RPCServerConnection
    typealias Client = RPCClientConnection

    /// A call in the eyes of the application.
    struct Wish {
        var kind: ProcedureKind
        var outcomes = 0
        /// It may ask for an element.
        var holdsElement = false
        var isPulled = false
        /// Elements that came, and that were given.
        var received: UInt8 = 0
        var given: UInt8 = 0
        var isGivenUp = false
    }

    /// A call in the eyes of its procedure.
    struct Run {
        var kind: ProcedureKind
        var isProducing = false
        var isPulled = false
        var isAsking = false
        var sent: UInt8 = 0
        var read: UInt8 = 0
        var isCancelled = false
        var isDone = false
    }

    var generator: SeededGenerator
    var server: Server
    var client: Client
    var toServer: [[UInt8]] = []
    var toClient: [[UInt8]] = []
    var wishes: [UInt64: Wish] = [:]
    var runs: [Server.CallID: Run] = [:]
    /// Elements that left and were not acknowledged, by number.
    var unacknowledged: [MessageNumber: Int] = [:]
    var faults: [String] = []
    var lastWish: UInt64 = 0
    var completed = 0
    var elements = 0

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        server = Server(modules: ServerBench.modules)
        var configuration = Client.Configuration()
        // Soon behind the end of all numbers.
        configuration.firstNumber = MessageNumber(MessageNumber.last.value - 20)
        client = Client(configuration: configuration)
        apply(.opened)
        want(.portWanted(.init(1_000_000), name: "main"))
        want(.moduleWanted(.init(1_000_001), port: 1, name: "echo"))
    }

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &generator) }

    // MARK: Steps

    mutating func step() {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...2: deliverToServer()
        case 3...5: deliverToClient()
        case 6, 7: procede()
        case 8: wish()
        default: applicate()
        }
    }

    mutating func deliverToServer() {
        guard !toServer.isEmpty else { return }
        apply(.frameReceived(toServer.removeFirst()))
    }

    mutating func deliverToClient() {
        guard !toClient.isEmpty else { return }
        want(.frameReceived(toClient.removeFirst()))
    }

    mutating func wish() {
        guard wishes.values.count(where: { $0.outcomes == 0 && !$0.isGivenUp }) < 12 else { return }
        lastWish += 1
        let kind = ProcedureKind.allCases[Int.random(in: 0..<4, using: &generator)]
        let place = ProcedureKind.allCases.firstIndex(of: kind) ?? 0
        wishes[lastWish] = Wish(kind: kind)
        want(.callWanted(.init(lastWish), .init(port: 1, procedure: UInt32(place + 1), kind: kind, payload: Data())))
    }

    /// The application asks for an element, gives one, ends its stream, or loses interest.
    mutating func applicate() {
        let open = wishes.filter { $0.value.outcomes == 0 && !$0.value.isGivenUp }.keys.sorted()
        guard let id = pick(open), let wish = wishes[id] else { return }
        if chance(40) {
            wishes[id]?.isGivenUp = true
            return want(.givenUp(.init(id)))
        }
        if wish.holdsElement, chance(2) {
            wishes[id]?.holdsElement = false
            return want(.elementAsked(.init(id)))
        }
        guard wish.isPulled else { return }
        wishes[id]?.isPulled = false
        if chance(4) { return want(.argumentEnded(.init(id))) }
        wishes[id]?.given += 1
        want(.argumentReady(.init(id), Data([wish.given + 1])))
    }

    /// A procedure does its next thing.
    mutating func procede() {
        guard let id = pick(runs.keys.sorted()), let run = runs[id] else { return }
        if run.isCancelled || run.isDone {
            runs[id] = nil
            return apply(.callFinished(id))
        }
        if chance(30) { return finish(id, .procedureFailed(id, code: 1, message: "failed")) }
        if run.kind.takesStream, !run.isAsking, chance(2) {
            if chance(6) { return apply(.argumentDropped(id)) }
            runs[id]?.isAsking = true
            return apply(.argumentAsked(id))
        }
        if run.kind.givesStream {
            if !run.isProducing {
                runs[id]?.isProducing = true
                return apply(.streamReady(id))
            }
            guard run.isPulled else { return }
            runs[id]?.isPulled = false
            if chance(5) { return finish(id, .sourceEnded(id)) }
            runs[id]?.sent += 1
            return apply(.elementReady(id, Data([run.sent + 1])))
        }
        if chance(3) { finish(id, .procedureAnswered(id, Data([run.read]))) }
    }

    private mutating func finish(_ id: Server.CallID, _ event: Server.Event) {
        runs[id]?.isDone = true
        apply(event)
    }

    /// Nobody wants anything new; everything comes to its end.
    mutating func settle() {
        for id in wishes.filter({ $0.value.outcomes == 0 && !$0.value.isGivenUp }).keys.sorted() where chance(2) {
            wishes[id]?.isGivenUp = true
            want(.givenUp(.init(id)))
        }
        for _ in 0..<100_000 {
            let isOver =
                toServer.isEmpty && toClient.isEmpty && runs.isEmpty
                && wishes.values.allSatisfy { $0.outcomes > 0 || $0.isGivenUp }
            if isOver { break }
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: deliverToServer()
            case 1: deliverToClient()
            case 2: procede()
            default: applicate()
            }
        }
    }
}
