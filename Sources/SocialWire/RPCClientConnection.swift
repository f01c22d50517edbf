import struct FoundationEssentials.Data

/// The client's end of one dcl-rpc connection: what the application wants and frames in, frames and outcomes out.
///
/// One door, ``handle(_:into:)``. Numbers are counted from 1 and used again only when nothing waits for them; each has
/// one waiter, which gets one outcome: exactly one of `portCreated`, `moduleLoaded`, `answered`, `ended` and `failed`
/// (streams: after `offered` and elements). Elements are acknowledged when the application asks for the next one.
/// dcl-rpc: checklist for a client; decision 24.
public struct RPCClientConnection: Sendable {
    /// Bounds of one connection; each says what follows past it.
    public struct Configuration: Hashable, Sendable {
        /// Questions, calls and streams at once; one more fails at once.
        public var waitersLimit = 4096
        /// Streams closed, and calls given up, of which a late word may come; past it the oldest is forgotten.
        public var closedStreamsLimit = 1024
        /// Bytes of one frame; a longer one closes the connection with 1009.
        public var frameBytesLimit = 1 << 20
        /// Of the first question.
        public var firstNumber = MessageNumber(1)

        /// The bounds above.
        public init() {}
    }

    /// What waits for an outcome, by a number of the application's choice that it uses once.
    public struct WaiterID: Hashable, Comparable, Sendable {
        /// Any.
        public let number: UInt64

        /// The waiter of that number.
        public init(_ number: UInt64) { self.number = number }

        /// By number.
        public static func < (left: WaiterID, right: WaiterID) -> Bool { left.number < right.number }
    }

    /// A call as the application wants it.
    public struct Call: Hashable, Sendable {
        /// The port on which the module was loaded.
        public var port: UInt32
        /// Its id there.
        public var procedure: UInt32
        /// What it takes and gives.
        public var kind: ProcedureKind
        /// The encoded argument; empty where the argument is a stream.
        public var payload: Data

        /// A call as given.
        public init(port: UInt32, procedure: UInt32, kind: ProcedureKind, payload: Data) {
            self.port = port
            self.procedure = procedure
            self.kind = kind
            self.payload = payload
        }
    }

    /// What happened, or is wanted.
    public enum Event: Sendable {
        /// A binary message.
        case frameReceived([UInt8])
        /// A text message.
        case textReceived
        /// The transport is gone.
        case transportClosed
        /// A port is wanted.
        case portWanted(WaiterID, name: String)
        /// A module is wanted on a port.
        case moduleWanted(WaiterID, port: UInt32, name: String)
        /// A port is not needed any more; what runs on it goes on for as long as the server lets it.
        case portGivenUp(UInt32)
        /// A procedure is to be called.
        case callWanted(WaiterID, Call)
        /// The application asks for an element of the result.
        case elementAsked(WaiterID)
        /// Nobody waits any more; for a stream, close it.
        case givenUp(WaiterID)
        /// The application's own source gave the element asked for by `pullArgument`.
        case argumentReady(WaiterID, Data)
        /// There are no more.
        case argumentEnded(WaiterID)
        /// The application goes.
        case leaving
    }

    /// Why a waiter got nothing.
    public enum Failure: Error, Hashable, Sendable {
        /// The server says so; the connection goes on.
        case remote(code: UInt32, message: String)
        /// The connection ended. Whether the server did what was asked is not known.
        case lost
        /// Too many wait already.
        case tooMany
        /// An answer of another kind than the call is of.
        case unexpectedAnswer
        /// The frame would be longer than the limit.
        case tooLong
    }

    /// What is to be done, and outcomes.
    public enum Effect: Hashable, Sendable {
        /// Send one binary message.
        case send([UInt8])
        /// The server is there and took what precedes the protocol.
        case becameReady
        /// Outcome.
        case portCreated(WaiterID, UInt32)
        /// Outcome, in the server's order.
        case moduleLoaded(WaiterID, [ProcedureListing])
        /// Outcome.
        case answered(WaiterID, Data)
        /// The call's result is a stream, of which nothing was asked for yet.
        case offered(WaiterID)
        /// The element that was asked for.
        case element(WaiterID, Data)
        /// Outcome: there are no more.
        case ended(WaiterID)
        /// Outcome.
        case failed(WaiterID, Failure)
        /// Ask the application's own source for one element.
        case pullArgument(WaiterID)
        /// Nobody wants more of the application's own source.
        case endArgument(WaiterID)
        /// Close the transport.
        case close(code: UInt16, reason: String)
    }

    struct Waiter: Sendable {
        enum Stage: Hashable, Sendable {
            case port
            case module(port: UInt32)
            case answer
            /// `sequence` came and is not acknowledged; 0 is the offer.
            case held(UInt32)
            /// Asked for what comes after `sequence`.
            case awaiting(after: UInt32)
        }

        enum Argument: Hashable, Sendable {
            /// The server has not asked for it.
            case offered
            /// The source was asked for what comes after `sequence`.
            case awaitingElement(after: UInt32)
            /// `sequence` was sent.
            case awaitingAck(UInt32)
            /// Closed by either side.
            case ended
        }

        var id: WaiterID
        var number: MessageNumber
        var port: UInt32
        var kind: ProcedureKind
        var stage: Stage
        var argumentNumber = MessageNumber.none
        var argument = Argument.ended
    }

    private enum Phase: Sendable {
        case awaitingServer
        case ready
        case closed
    }

    let configuration: Configuration
    private var phase = Phase.awaitingServer
    var waiters: [WaiterID: Waiter] = [:]
    /// Numbers of questions, calls and arguments.
    var numbers: [MessageNumber: WaiterID] = [:]
    var closedStreams: ClosedStreams
    private var nextNumber: MessageNumber

    /// A connection whose transport stands and whose server has not said anything.
    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        nextNumber = configuration.firstNumber
        closedStreams = ClosedStreams(limit: configuration.closedStreamsLimit)
    }

    /// Those without an outcome.
    public var waiterCount: Int { waiters.count }
    /// Streams and calls of which a late word may come.
    public var closedStreamCount: Int { closedStreams.count }
    /// Nothing is sent any more.
    public var isClosed: Bool { phase == .closed }

    /// The one door.
    public mutating func handle(_ event: Event, into effects: inout [Effect]) {
        guard phase != .closed else {
            if let waiter = event.wanting { effects.append(.failed(waiter, .lost)) }
            return
        }
        switch event {
        case .frameReceived(let bytes): take(bytes, into: &effects)
        case .textReceived: close(1003, "text frames have no meaning", into: &effects)
        case .transportClosed: endAll(into: &effects)
        case .leaving: close(1000, "", into: &effects)
        case .portWanted(let id, let name):
            guard let number = wait(id, .port, into: &effects) else { return }
            send(number, .createPort(name: name), into: &effects)
        case .moduleWanted(let id, let port, let name):
            guard let number = wait(id, .module(port: port), into: &effects) else { return }
            send(number, .requestModule(port: port, name: name), into: &effects)
        case .portGivenUp(let port): send(.none, .destroyPort(port: port), into: &effects)
        case .callWanted(let id, let wanted): call(id, wanted, into: &effects)
        case .elementAsked(let id): askElement(of: id, into: &effects)
        case .givenUp(let id): giveUp(id, into: &effects)
        case .argumentReady(let id, let payload): send(argument: payload, of: id, into: &effects)
        case .argumentEnded(let id): endArgument(of: id, into: &effects)
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
        case .serverReady:
            guard phase == .awaitingServer else { return }
            phase = .ready
            effects.append(.becameReady)
        case .response, .portCreated, .moduleLoaded, .remoteError: takeAnswer(message, into: &effects)
        case .stream(let frame): take(frame, message.number, into: &effects)
        case .request, .createPort, .requestModule, .destroyPort:
            close(1002, "a frame that only clients send", into: &effects)
        }
    }

    mutating func close(_ code: UInt16, _ reason: String, into effects: inout [Effect]) {
        endAll(into: &effects)
        effects.append(.close(code: code, reason: reason))
    }

    private mutating func endAll(into effects: inout [Effect]) {
        phase = .closed
        for waiter in waiters.values.sorted(by: { $0.id < $1.id }) {
            if waiter.kind.takesStream, waiter.argument != .ended { effects.append(.endArgument(waiter.id)) }
            effects.append(.failed(waiter.id, .lost))
        }
        waiters = [:]
        numbers = [:]
        closedStreams = ClosedStreams(limit: configuration.closedStreamsLimit)
    }

    /// - Returns: the number to ask under; `nil` if too many wait.
    mutating func wait(
        _ id: WaiterID, _ stage: Waiter.Stage, into effects: inout [Effect]
    ) -> MessageNumber? {
        precondition(waiters[id] == nil, "a waiter waits twice: \(id)")
        guard waiters.count < configuration.waitersLimit else {
            effects.append(.failed(id, .tooMany))
            return nil
        }
        let number = takeNumber()
        waiters[id] = Waiter(id: id, number: number, port: 0, kind: .unary, stage: stage)
        numbers[number] = id
        return number
    }

    /// The next number for which nothing waits. There is one: the limits are far below 2^27.
    mutating func takeNumber() -> MessageNumber {
        while numbers[nextNumber] != nil || closedStreams.contains(nextNumber) { advance() }
        defer { advance() }
        return nextNumber
    }

    private mutating func advance() {
        nextNumber = nextNumber == .last ? MessageNumber(1) : MessageNumber(nextNumber.value + 1)
    }

    func send(_ number: MessageNumber, _ body: RPCMessage.Body, into effects: inout [Effect]) {
        effects.append(.send(RPCMessage(number, body).encoded()))
    }
}

extension RPCClientConnection.Event {
    /// Who is to be told that it is too late.
    fileprivate var wanting: RPCClientConnection.WaiterID? {
        switch self {
        case .portWanted(let id, _), .moduleWanted(let id, _, _), .callWanted(let id, _): id
        default: nil
        }
    }
}
