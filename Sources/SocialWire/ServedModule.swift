/// What a procedure takes and gives.
public enum ProcedureKind: Hashable, Sendable, CaseIterable {
    /// One message for one.
    case unary
    /// A stream for one message.
    case serverStream
    /// One message for a stream.
    case clientStream
    /// A stream for a stream.
    case bidirectional

    /// Its argument is a stream.
    public var takesStream: Bool { self == .clientStream || self == .bidirectional }
    /// Its result is a stream.
    public var givesStream: Bool { self == .serverStream || self == .bidirectional }
}

/// A module as the server's end of a connection knows it: names and kinds.
public struct ServedModule: Hashable, Sendable {
    /// One procedure.
    public struct Procedure: Hashable, Sendable {
        /// As in the .proto file.
        public var name: String
        /// What it takes and gives.
        public var kind: ProcedureKind

        /// A procedure as given.
        public init(_ name: String, _ kind: ProcedureKind) {
            self.name = name
            self.kind = kind
        }
    }

    /// The bare name of the service.
    public var name: String
    /// In the order of their ids.
    public var procedures: [Procedure]

    /// A module as given.
    public init(_ name: String, _ procedures: [Procedure]) {
        self.name = name
        self.procedures = procedures
    }
}
