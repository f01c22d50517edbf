import struct FoundationEssentials.Data

/// Pairs a question with its answer, and names a stream: 27 bits, chosen by the client. dcl-rpc: message_identifier.
public struct MessageNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The largest that fits.
    public static let last = MessageNumber(0x07FF_FFFF)
    /// "No answer expected": SERVER_READY, and DESTROY_PORT.
    public static let none = MessageNumber(0)

    /// At most 2^27 - 1.
    public let value: UInt32

    /// The lower 27 bits of `value`.
    public init(_ value: UInt32) { self.value = value & 0x07FF_FFFF }

    /// By value.
    public static func < (left: MessageNumber, right: MessageNumber) -> Bool { left.value < right.value }

    /// In decimal.
    public var description: String { "\(value)" }
}

/// The frame makes no sense, for whatever reason of these.
public enum RPCFrameError: Error, Hashable, Sendable {
    /// No bytes, bytes that are no protobuf, or a field of another type than it should be.
    case malformed
    /// A type that is not in use: 0, and 12 to 15.
    case unknownType(UInt8)
}

/// One procedure in the answer to REQUEST_MODULE.
public struct ProcedureListing: Hashable, Sendable {
    /// By which it is called on this port; 0 is as good as any.
    public var id: UInt32
    /// As in the .proto file.
    public var name: String

    /// A line as given.
    public init(id: UInt32, name: String) {
        self.id = id
        self.name = name
    }
}

/// What STREAM_MESSAGE and STREAM_ACK have in common.
public struct StreamFrame: Hashable, Sendable {
    /// Which of the two it is.
    public enum Kind: Hashable, Sendable {
        /// STREAM_MESSAGE: offers, elements and closes.
        case message
        /// STREAM_ACK: acks, and closes in the place of one.
        case ack
    }

    /// Which of the two it is.
    public var kind: Kind
    /// The port of the call; whoever reads it goes by the number alone.
    public var port: UInt32
    /// 0 is the offer, elements count from 1.
    public var sequence: UInt32
    /// The element.
    public var payload: Data
    /// The stream ends.
    public var isClosed: Bool
    /// "Send the next."
    public var isAck: Bool

    /// A frame as given.
    public init(
        _ kind: Kind, port: UInt32, sequence: UInt32, payload: Data = Data(), isClosed: Bool = false,
        isAck: Bool = false
    ) {
        self.kind = kind
        self.port = port
        self.sequence = sequence
        self.payload = payload
        self.isClosed = isClosed
        self.isAck = isAck
    }
}

/// One frame of dcl-rpc: one binary message of the WebSocket, one protobuf message.
///
/// Whoever reads skips fields that it does not know; whoever writes keeps them in ascending order, leaves out what is
/// zero, and adds none. dcl-rpc: framing, messages.
public struct RPCMessage: Hashable, Sendable {
    /// What a frame says.
    public enum Body: Hashable, Sendable {
        /// - Parameter clientStream: the number of the stream that is the argument; 0: none.
        case request(port: UInt32, procedure: UInt32, clientStream: UInt32, payload: Data)
        /// The result of a unary call or of one with a stream for argument.
        case response(payload: Data)
        /// An offer, an element, an ack or a close.
        case stream(StreamFrame)
        /// Asks for a new port.
        case createPort(name: String)
        /// Its id.
        case portCreated(port: UInt32)
        /// Asks for a module on a port.
        case requestModule(port: UInt32, name: String)
        /// Its procedures.
        case moduleLoaded(port: UInt32, procedures: [ProcedureListing])
        /// The answer to what failed.
        case remoteError(code: UInt32, message: String)
        /// The port is not needed any more.
        case destroyPort(port: UInt32)
        /// The server's first word.
        case serverReady
    }

    /// Repeated by whatever answers.
    public var number: MessageNumber
    /// What it says.
    public var body: Body

    /// A frame as given.
    public init(_ number: MessageNumber, _ body: Body) {
        self.number = number
        self.body = body
    }
}
