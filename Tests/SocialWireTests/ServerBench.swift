import FoundationEssentials
import SocialWire

/// A REQUEST that was refused.
struct NotStarted: Error {}

/// The server's end of a connection under test: frames in as values, effects out as values.
struct ServerBench {
    typealias Connection = RPCServerConnection
    typealias CallID = RPCServerConnection.CallID

    static let modules = [
        ServedModule(
            "echo",
            [
                .init("basic", .unary), .init("ticker", .serverStream), .init("collect", .clientStream),
                .init("double", .bidirectional),
            ]),
        ServedModule("second", [.init("basic", .unary)]),
    ]

    var connection: RPCServerConnection
    /// Since the bench was last asked.
    private(set) var effects: [Connection.Effect] = []

    /// Open, with port 1 and the module `echo` on it.
    init(_ change: (inout Connection.Configuration) -> Void = { _ in }) {
        var configuration = Connection.Configuration()
        change(&configuration)
        connection = Connection(modules: ServerBench.modules, configuration: configuration)
        handle(.opened)
        take(.init(MessageNumber(1), .createPort(name: "main")))
        take(.init(MessageNumber(2), .requestModule(port: 1, name: "echo")))
        effects = []
    }

    mutating func handle(_ event: Connection.Event) { connection.handle(event, into: &effects) }

    mutating func take(_ message: RPCMessage) { handle(.frameReceived(message.encoded())) }

    mutating func take(_ number: UInt32, _ body: RPCMessage.Body) { take(RPCMessage(MessageNumber(number), body)) }

    /// Effects since the last call.
    mutating func flush() -> [Connection.Effect] {
        defer { effects = [] }
        return effects
    }

    /// Frames sent since the last call; what else was ordered is forgotten.
    mutating func sent() -> [RPCMessage] { flush().compactMap(\.message) }

    /// A call that was started by this REQUEST.
    mutating func call(
        _ number: UInt32, procedure: UInt32, clientStream: UInt32 = 0, port: UInt32 = 1
    ) throws(NotStarted) -> CallID {
        take(number, .request(port: port, procedure: procedure, clientStream: clientStream, payload: Data()))
        if case .start(let id, _)? = effects.last { return id }
        throw NotStarted()
    }

    /// A server stream whose offer was taken, and which waits for its first element.
    mutating func stream(_ number: UInt32) throws(NotStarted) -> CallID {
        let id = try call(number, procedure: 2)
        handle(.streamReady(id))
        take(number, .stream(.ack(0)))
        effects = []
        return id
    }
}

extension RPCServerConnection.Effect {
    var message: RPCMessage? {
        guard case .send(let bytes) = self else { return nil }
        return try? RPCMessage(decoding: bytes)
    }

    static func send(_ number: UInt32, _ body: RPCMessage.Body) -> Self {
        .send(RPCMessage(MessageNumber(number), body).encoded())
    }
}

extension StreamFrame {
    static func ack(_ sequence: UInt32) -> StreamFrame { StreamFrame(.ack, port: 1, sequence: sequence, isAck: true) }

    static func element(_ sequence: UInt32, _ bytes: UInt8...) -> StreamFrame {
        StreamFrame(.message, port: 1, sequence: sequence, payload: Data(bytes))
    }

    static func close(_ kind: Kind, _ sequence: UInt32) -> StreamFrame {
        StreamFrame(kind, port: 1, sequence: sequence, isClosed: true)
    }
}

extension RPCMessage {
    init(_ number: UInt32, _ body: Body) { self.init(MessageNumber(number), body) }
}
