import NIOCore
import NIOPosix
import PresenceModel
import Synchronization

/// A TCP proxy on loopback between two servers, which does to every connection what a plan says. It moves bytes and
/// does not know what they mean, so it works for TLS too.
///
/// The plan is asked once for each connection. ``heal()`` ends the plan: connections with a fault are closed, those
/// that were held go on where they stood, and what comes after passes.
final class FaultyProxy: Sendable {
    enum Direction: CaseIterable, Hashable, Sendable {
        /// From who connected.
        case toServer
        case toClient
    }

    /// What becomes of one connection.
    enum Fault: Hashable, Sendable {
        case none
        /// Reset as soon as it came about.
        case refused
        /// Accepted; nothing is passed on, nothing is answered.
        case unanswered
        /// Closed when so many bytes went that way, these still passed on.
        case closed(afterBytes: Int, Direction)
        /// Everything arrives so much later.
        case delayed(Duration)
        /// From the client's `flight`-th turn to speak on, what it says passes; of what it is answered, only the first
        /// bytes, and then the connection closes. With TLS the first flight is the handshake's, so that from the
        /// second on requests are taken and their senders do not know.
        case answerCut(flight: Int, letThrough: Int)
        /// What is sent in that direction does not arrive, while the other passes. Held, not lost: it arrives late if
        /// the proxy heals.
        case held(Direction)

        /// The words for its kind, whatever its numbers.
        var kind: String {
            switch self {
            case .none: "none"
            case .refused: "refused"
            case .unanswered: "unanswered"
            case .closed: "closed"
            case .delayed: "delayed"
            case .answerCut: "answer cut"
            case .held: "held"
            }
        }
    }

    /// By the number of the connection, the first being 0.
    typealias Plan = @Sendable (Int) -> Fault

    private struct State {
        var plan: Plan = { _ in .none }
        var accepted = 0
        var met: [String: Int] = [:]
        var open: [Int: NIOLoopBound<Conduit>] = [:]
        var partitions: Set<Direction> = []
    }

    private let listener: any Channel
    private let state: SharedState
    let port: Int

    private final class SharedState: Sendable {
        let inside = Mutex(State())
    }

    /// Listens at `port` and hands on to `target`, both at 127.0.0.1. Where nothing listens at `target`, connections
    /// are closed.
    static func start(at port: Int = 0, to target: Int) async throws -> FaultyProxy {
        let state = SharedState()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try FaultyProxy.accept(channel, target: target, state)
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return FaultyProxy(listener: listener, state: state)
    }

    private init(listener: any Channel, state: SharedState) {
        self.listener = listener
        self.state = state
        port = listener.localAddress?.port ?? 0
    }

    deinit { listener.close(promise: nil) }

    /// How many connections met each kind of fault so far.
    var met: [String: Int] { state.inside.withLock { $0.met } }

    /// How many connections there were so far.
    var accepted: Int { state.inside.withLock { $0.accepted } }

    /// What connections meet from now on. Those that are open are closed, so that nobody goes on as before.
    func plan(_ plan: @escaping Plan) {
        tell({ $0.plan = plan }) { $0.close() }
    }

    /// Nothing arrives in that direction any more, on any connection, until ``heal()``.
    func partition(_ direction: Direction) {
        tell({ $0.partitions.insert(direction) }) { $0.hold(direction) }
    }

    /// Everything passes from now on.
    func heal() {
        tell({ state in
            state.plan = { _ in .none }
            state.partitions = []
        }) { $0.heal() }
    }

    /// Closes everything; the port is free afterwards.
    func stop() async {
        try? await listener.close()
        tell({ _ in }) { $0.close() }
    }

    private func tell(_ change: (inout State) -> Void, _ act: @escaping @Sendable (Conduit) -> Void) {
        let open = state.inside.withLock { state in
            change(&state)
            return Array(state.open.values)
        }
        for conduit in open { conduit.eventLoop.execute { act(conduit.value) } }
    }

    private static func accept(_ client: any Channel, target: Int, _ state: SharedState) throws {
        let (number, conduit) = state.inside.withLock { state in
            let number = state.accepted
            let fault = state.plan(number)
            let conduit = NIOLoopBound(
                Conduit(fault: fault, client: client, held: state.partitions), eventLoop: client.eventLoop)
            state.accepted += 1
            state.met[fault.kind, default: 0] += 1
            state.open[number] = conduit
            return (number, conduit)
        }
        conduit.value.whenOver = { state.inside.withLock { $0.open[number] = nil } }
        try conduit.value.start(target: target)
    }
}

extension FaultyProxy {
    /// Faults of every kind, drawn from a seed: the same connection meets the same fault, whenever it comes, and any
    /// eight in a row, counted from the first, meet all kinds. No connection lives for long, or all that follows would
    /// pass through the first that is good.
    static func storm(seed: UInt64) -> Plan {
        { number in
            var order = SeededGenerator(seed: seed &+ UInt64(number / 8))
            let kind = Array(0..<8).shuffled(using: &order)[number % 8]
            var numbers = SeededGenerator(seed: seed &+ UInt64(number) &* 0x2545_F491_4F6C_DD1D)
            func draw(_ range: Range<Int>) -> Int { Int.random(in: range, using: &numbers) }
            let direction = Direction.allCases[draw(0..<2)]
            return switch kind {
            case 0: .refused
            case 1: .unanswered
            case 2: .closed(afterBytes: draw(0..<3000), direction)
            // Long enough that nothing is done in time by who waits for two seconds.
            case 3: .delayed(.milliseconds(draw(1000..<1500)))
            case 4, 5: .answerCut(flight: draw(2..<4), letThrough: draw(0..<80))
            case 6: .held(direction)
            // Lets some through first.
            default: .closed(afterBytes: draw(3000..<6000), .toServer)
            }
        }
    }
}
