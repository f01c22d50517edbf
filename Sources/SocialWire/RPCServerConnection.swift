import struct FoundationEssentials.Data

/// The server's end of one dcl-rpc connection: frames and what procedures did in, frames and what is to be done out.
///
/// One door, ``handle(_:into:)``. SERVER_READY goes first; every CREATE_PORT, REQUEST_MODULE and REQUEST is answered
/// exactly once; no element leaves before the ack of the one before; a source ends when its consumer closes the stream
/// (by either kind of frame, with any sequence, at any time), when its port is destroyed, and with the connection.
/// After `close` or `transportClosed` nothing is sent any more. dcl-rpc: checklist for a server; decision 24.
public struct RPCServerConnection: Sendable {
    /// Bounds of one connection; each says what follows past it.
    public struct Configuration: Hashable, Sendable {
        /// Ports that are not destroyed; CREATE_PORT past it is answered by an error.
        public var portsLimit = 16
        /// Different modules loaded on one port; REQUEST_MODULE past it is answered by an error.
        public var modulesPerPortLimit = 16
        /// Calls whose procedures are running, streams among them, those too that were given up and have not noticed;
        /// REQUEST past it is answered by an error.
        public var callsLimit = 64
        /// Calls among them whose result is a stream; REQUEST past it is answered by an error.
        public var streamsLimit = 16
        /// Bytes of the name of a port or module; a longer one is answered by an error that does not repeat it.
        public var nameBytesLimit = 256
        /// Bytes of one frame. A longer one that comes closes the connection with 1009; an answer or element that would
        /// be longer becomes an error.
        public var frameBytesLimit = 1 << 20
        /// Arguments closed by us of which a late element may come; past it the oldest is forgotten.
        public var closedArgumentsLimit = 64

        /// The bounds above.
        public init() {}
    }

    /// One call of a connection. Numbers are used again by clients, serials are not.
    public struct CallID: Hashable, Comparable, Sendable {
        /// The number of its REQUEST.
        public let number: MessageNumber
        /// Counted from 1.
        public let serial: UInt64

        /// Older first.
        public static func < (left: CallID, right: CallID) -> Bool { left.serial < right.serial }
    }

    /// What a procedure is to be run with.
    public struct Order: Hashable, Sendable {
        /// Place among the modules that are served.
        public var module: Int
        /// Place among the module's procedures.
        public var procedure: Int
        /// The port that the call came over.
        public var port: UInt32
        /// The encoded argument.
        public var payload: Data
    }

    /// What happened.
    public enum Event: Sendable {
        /// The transport stands. Comes first, once.
        case opened
        /// A binary message.
        case frameReceived([UInt8])
        /// A text message, whatever it says.
        case textReceived
        /// A procedure of one result gave it.
        case procedureAnswered(CallID, Data)
        /// A procedure, or its source at any time, failed. An empty message is replaced.
        case procedureFailed(CallID, code: UInt32, message: String)
        /// A procedure has a stream for result, of which no element was asked for.
        case streamReady(CallID)
        /// The element asked for by `pull`.
        case elementReady(CallID, Data)
        /// There are no more.
        case sourceEnded(CallID)
        /// The procedure waits for an element of its argument.
        case argumentAsked(CallID)
        /// The procedure wants no more of its argument.
        case argumentDropped(CallID)
        /// Nothing of the call runs any more. Comes exactly once for each `start`, as its last event.
        case callFinished(CallID)
        /// The server stops.
        case goingAway
        /// The transport is gone.
        case transportClosed
    }

    /// What is to be done.
    public enum Effect: Hashable, Sendable {
        /// Send one binary message.
        case send([UInt8])
        /// Run a procedure.
        case start(CallID, Order)
        /// Ask the source of the call for one element.
        case pull(CallID)
        /// Give the procedure the element that it waits for.
        case deliver(CallID, Data)
        /// Tell the procedure, which waits for an element, that there are no more.
        case endArgument(CallID)
        /// Cancel what runs for the call; nothing that it says counts any more.
        case cancel(CallID)
        /// Close the transport with a code of the WebSocket protocol.
        case close(code: UInt16, reason: String)
    }

    struct Port: Sendable {
        struct Load: Sendable {
            var module: Int
            var firstID: UInt32
        }

        var name: String
        var loads: [Load] = []
        var procedureCount: UInt32 = 0
    }

    struct Call: Sendable {
        enum Stage: Hashable, Sendable {
            /// The procedure runs.
            case running
            /// Sequence `sent` waits for its ack; 0 is the offer.
            case awaitingAck(UInt32)
            /// The source was asked for the element after `acknowledged`.
            case awaitingElement(after: UInt32)
        }

        enum Argument: Hashable, Sendable {
            /// Not asked for yet.
            case offered
            /// Asked for what comes after `sequence`.
            case awaiting(after: UInt32)
            /// `sequence` was delivered and is not acknowledged.
            case held(UInt32)
            /// Closed by either side.
            case ended
        }

        var id: CallID
        var port: UInt32
        var kind: ProcedureKind
        var stage = Stage.running
        var argumentNumber = MessageNumber.none
        var argument = Argument.ended
    }

    private enum Phase: Sendable {
        case fresh
        case open
        case closed
    }

    let modules: [ServedModule]
    let configuration: Configuration
    private var phase = Phase.fresh
    var ports: [UInt32: Port] = [:]
    var lastPort: UInt32 = 0
    var calls: [MessageNumber: Call] = [:]
    /// The calls whose arguments have these numbers.
    var arguments: [MessageNumber: MessageNumber] = [:]
    var closedArguments: ClosedStreams
    /// Started and not finished; the answered and the cancelled too.
    var unfinished: [CallID: ProcedureKind] = [:]
    var unfinishedStreams = 0
    var lastSerial: UInt64 = 0

    /// A connection that has not opened.
    /// - Parameter modules: on offer on each port, in whatever order they are asked for.
    public init(modules: [ServedModule], configuration: Configuration = Configuration()) {
        self.modules = modules
        self.configuration = configuration
        closedArguments = ClosedStreams(limit: configuration.closedArgumentsLimit)
    }

    /// Ports not destroyed.
    public var portCount: Int { ports.count }
    /// Calls that have no answer yet.
    public var callCount: Int { calls.count }
    /// Calls whose procedures have not ended.
    public var unfinishedCount: Int { unfinished.count }
    /// Nothing is sent any more.
    public var isClosed: Bool { phase == .closed }

    /// The one door.
    public mutating func handle(_ event: Event, into effects: inout [Effect]) {
        if case .callFinished(let id) = event {
            note(finished: id)
            return
        }
        switch (phase, event) {
        case (.fresh, .opened):
            phase = .open
            send(.none, .serverReady, into: &effects)
        case (.fresh, _), (.closed, _): break
        case (.open, .opened): preconditionFailure("opened twice")
        case (.open, .frameReceived(let bytes)): take(bytes, into: &effects)
        case (.open, .textReceived): close(1003, "text frames have no meaning", into: &effects)
        case (.open, .goingAway): close(1001, "the server stops", into: &effects)
        case (.open, .transportClosed): endAll(into: &effects)
        case (.open, _): takeFromProcedure(event, into: &effects)
        }
    }

    private mutating func takeFromProcedure(_ event: Event, into effects: inout [Effect]) {
        switch event {
        case .procedureAnswered(let id, let payload): answer(id, payload, into: &effects)
        case .procedureFailed(let id, let code, let message): fail(id, code, message, into: &effects)
        case .streamReady(let id): offer(id, into: &effects)
        case .elementReady(let id, let payload): send(element: payload, of: id, into: &effects)
        case .sourceEnded(let id): endStream(id, into: &effects)
        case .argumentAsked(let id): askArgument(of: id, into: &effects)
        case .argumentDropped(let id): dropArgument(of: id, into: &effects)
        case .opened, .frameReceived, .textReceived, .callFinished, .goingAway, .transportClosed:
            preconditionFailure("not from a procedure: \(event)")
        }
    }

    private mutating func take(_ bytes: [UInt8], into effects: inout [Effect]) {
        guard bytes.count <= configuration.frameBytesLimit else {
            return close(1009, "a frame is too long", into: &effects)
        }
        let message: RPCMessage
        do {
            message = try RPCMessage(decoding: bytes)
        } catch {
            return close(1002, "a frame makes no sense", into: &effects)
        }
        switch message.body {
        case .createPort(let name): createPort(name, message.number, into: &effects)
        case .requestModule(let port, let name): loadModule(name, port, message.number, into: &effects)
        case .destroyPort(let port): destroyPort(port, into: &effects)
        case .request(let port, let procedure, let clientStream, let payload):
            take(
                Request(
                    number: message.number, port: port, procedure: procedure, clientStream: clientStream,
                    payload: payload), into: &effects)
        case .stream(let frame): take(frame, message.number, into: &effects)
        case .response, .portCreated, .moduleLoaded, .remoteError, .serverReady:
            close(1002, "a frame that only servers send", into: &effects)
        }
    }

    /// Ends everything, in the order in which it began, and closes.
    mutating func close(_ code: UInt16, _ reason: String, into effects: inout [Effect]) {
        endAll(into: &effects)
        effects.append(.close(code: code, reason: reason))
    }

    private mutating func endAll(into effects: inout [Effect]) {
        phase = .closed
        for id in calls.values.map(\.id).sorted() { effects.append(.cancel(id)) }
        calls = [:]
        arguments = [:]
        ports = [:]
        closedArguments = ClosedStreams(limit: configuration.closedArgumentsLimit)
    }

    private mutating func note(finished id: CallID) {
        guard let kind = unfinished.removeValue(forKey: id) else { preconditionFailure("finished twice: \(id)") }
        if kind.givesStream { unfinishedStreams -= 1 }
        precondition(calls[id.number]?.id != id, "finished without an answer: \(id)")
    }

    func send(_ number: MessageNumber, _ body: RPCMessage.Body, into effects: inout [Effect]) {
        effects.append(.send(RPCMessage(number, body).encoded()))
    }

    func refuse(_ number: MessageNumber, _ message: String, into effects: inout [Effect]) {
        send(number, .remoteError(code: 0, message: message), into: &effects)
    }
}
