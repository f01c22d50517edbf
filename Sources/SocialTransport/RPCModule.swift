import FoundationEssentials

/// One connection that speaks dcl-rpc, unique within a run.
public struct RPCSessionID: Hashable, Comparable, Sendable {
    /// Counted from 1.
    public let number: UInt64

    /// The session of that number.
    public init(_ number: UInt64) { self.number = number }

    /// Older first.
    public static func < (left: RPCSessionID, right: RPCSessionID) -> Bool { left.number < right.number }
}

/// A call as its procedure sees it.
public struct RPCCall: Sendable {
    /// The connection that it came over.
    public var session: RPCSessionID
    /// The port that it came over.
    public var port: UInt32
    /// The encoded argument; empty where the argument is a stream.
    public var payload: Data

    /// A call as given.
    public init(session: RPCSessionID, port: UInt32, payload: Data) {
        self.session = session
        self.port = port
        self.payload = payload
    }
}

/// What the caller is told by a REMOTE_ERROR_RESPONSE: the call failed, the connection goes on.
public struct RPCFailure: Error, Hashable, Sendable {
    /// 0 where nothing says otherwise.
    public var code: UInt32
    /// For logs.
    public var message: String

    /// A failure as given.
    public init(code: UInt32 = 0, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// A stream of encoded messages. The producer's source is asked for an element only after the one before it was
/// acknowledged; its iteration is cancelled when the stream ends early.
public typealias RPCStream = any AsyncSequence<Data, any Error> & Sendable

/// One procedure of a module.
public struct RPCProcedure: Sendable {
    /// What it takes and gives.
    public enum Body: Sendable {
        /// One message for one.
        case unary(@Sendable (RPCCall) async throws -> Data)
        /// A stream for one message.
        case serverStream(@Sendable (RPCCall) async throws -> RPCStream)
        /// One message for a stream.
        case clientStream(@Sendable (RPCCall, RPCStream) async throws -> Data)
        /// A stream for a stream, each at its own pace.
        case bidirectional(@Sendable (RPCCall, RPCStream) async throws -> RPCStream)
    }

    /// As in the .proto file.
    public var name: String
    /// What it does.
    public var body: Body

    /// A procedure as given.
    public init(_ name: String, _ body: Body) {
        self.name = name
        self.body = body
    }
}

/// A service as it is offered on a port; procedures are numbered in this order.
public struct RPCModule: Sendable {
    /// The bare name of the service.
    public var name: String
    /// In the order of their ids, from 1.
    public var procedures: [RPCProcedure]

    /// A module as given.
    public init(_ name: String, _ procedures: [RPCProcedure]) {
        self.name = name
        self.procedures = procedures
    }
}
