import MatrixHTTP
import NIOCore
import NIOHTTP1
import SocialWire
import Synchronization

/// Modules offered by dcl-rpc to whoever connects, over WebSockets of a listener.
///
/// What runs for a connection is a task for each call and stream that is not over, and nothing else.
public final class RPCService: Sendable {
    /// Bounds, and what keeps connections alive.
    public struct Configuration: Sendable {
        /// Of each connection.
        public var connection = RPCServerConnection.Configuration()
        /// Of each WebSocket.
        public var webSocket = WebSocketLimits()
        /// Connections at once; one more is answered by 503. It may be passed by one for each event loop.
        public var connectionsLimit = 20_000
        /// Pings.
        public var pulses = WebSocketPulses.usual

        /// The bounds above.
        public init() {}
    }

    /// What the service did since it was made, and what it has now.
    public struct Counts: Hashable, Sendable {
        /// Connections that stand.
        public var connections = 0
        /// Connections that stood at any time.
        public var connectionsOpened = 0
        /// Connections for which there was no room.
        public var connectionsRefused = 0
        /// Procedures, and the sources of streams, that are running.
        public var calls = 0
        /// The streams among them.
        public var streams = 0
        /// Procedures that were started.
        public var callsStarted = 0
        /// Frames that came.
        public var framesIn = 0
        /// Frames that left.
        public var framesOut = 0
        /// Connections that were closed because of what came over them.
        public var connectionsClosedForCause = 0
    }

    private struct State {
        var counts = Counts()
        var lastSession: UInt64 = 0
        var sessions: [RPCSessionID: NIOLoopBound<RPCSession>] = [:]
        var isClosing = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let configuration: Configuration
    let modules: [RPCModule]
    let served: [ServedModule]
    private let sessionEnded: @Sendable (RPCSessionID) async -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - modules: of different names; each port can load all of them.
    ///   - sessionEnded: called once for each connection, after it closed and after the last procedure that ran for it
    ///     ended.
    public init(
        modules: [RPCModule], configuration: Configuration = Configuration(),
        sessionEnded: @escaping @Sendable (RPCSessionID) async -> Void = { _ in }
    ) {
        precondition(Set(modules.map(\.name)).count == modules.count, "two modules of one name")
        self.modules = modules
        self.configuration = configuration
        self.sessionEnded = sessionEnded
        served = modules.map { module in
            ServedModule(module.name, module.procedures.map { .init($0.name, $0.body.kind) })
        }
    }

    /// Where the service is found: one of the `webSockets` of a listener's server.
    public func webSocket(at path: String) -> WebSocketPath {
        WebSocketPath(path) { [self] channel, _ in
            guard let id = makeSession() else { return nil }
            let session = RPCSession(id, of: self, on: channel.eventLoop)
            return WebSocketConnection(
                .server, limits: configuration.webSocket, pulse: configuration.pulses.pulse(of: channel.eventLoop),
                session: session
            ).handlers
        }
    }

    /// A copy of the counts.
    public var counts: Counts { state.withLock { $0.counts } }

    /// Refuses new connections, closes those that stand with 1001, and returns when nothing runs for any of them.
    public func close() async {
        let sessions = state.withLock { state in
            state.isClosing = true
            return state.sessions.sorted { $0.key < $1.key }.map(\.value)
        }
        for session in sessions {
            session.eventLoop.execute { session.value.goingAway() }
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard !state.sessions.isEmpty else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    // MARK: For sessions

    private func makeSession() -> RPCSessionID? {
        state.withLock { state in
            guard !state.isClosing, state.counts.connections < configuration.connectionsLimit else {
                state.counts.connectionsRefused += 1
                return nil
            }
            state.lastSession += 1
            return RPCSessionID(state.lastSession)
        }
    }

    /// - Returns: false if the service closes, so that the session should.
    func noteOpened(_ id: RPCSessionID, _ session: NIOLoopBound<RPCSession>) -> Bool {
        state.withLock { state in
            state.counts.connections += 1
            state.counts.connectionsOpened += 1
            state.sessions[id] = session
            return !state.isClosing
        }
    }

    func noteClosed() { count { $0.connections -= 1 } }

    func noteFinished(_ id: RPCSessionID) {
        Task {
            await sessionEnded(id)
            let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
                state.sessions[id] = nil
                guard state.sessions.isEmpty else { return [] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    /// - Parameter change: 1 when it starts, -1 when it has ended.
    func noteRun(_ run: ProcedureRun, _ change: Int) {
        count { counts in
            counts.calls += change
            if run.givesStream { counts.streams += change }
            if change > 0 { counts.callsStarted += 1 }
        }
    }

    func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0.counts) } }
}

extension RPCProcedure.Body {
    /// What the wire's side of a connection has to know of it.
    var kind: ProcedureKind {
        switch self {
        case .unary: .unary
        case .serverStream: .serverStream
        case .clientStream: .clientStream
        case .bidirectional: .bidirectional
        }
    }
}
