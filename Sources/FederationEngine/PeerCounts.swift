/// What was sent to one server since the start, and what was not.
public struct PeerCounts: Hashable, Sendable {
    /// Why a change of a local user was not sent to a server.
    public enum Unsent: String, Hashable, Sendable, CaseIterable {
        /// The server takes part in subscribe and push, and nobody there wants to know of the user.
        case notWanted = "not_wanted"
        /// A later change of the same user took its place in the batch.
        case superseded
        /// The user was back at what the server was told last.
        case cancelledOut = "cancelled_out"
        /// The server cannot subscribe, and sees the user only in rooms that are too large.
        case largeRoom = "large_room"
        /// The server does not answer; it is told what holds when it does again.
        case silent
        /// The server wants nothing about presence.
        case optedOut = "opted_out"
    }

    /// Transactions handed out, retries not counted.
    public var transactionsSent: UInt64 = 0
    /// EDUs in them, about presence and permissions.
    public var edusSent: UInt64 = 0
    /// Users' states in them.
    public var statesSent: UInt64 = 0
    /// Transactions taken in, repeated ones not counted.
    public var transactionsReceived: UInt64 = 0
    /// States of its users in them.
    public var statesReceived: UInt64 = 0
    private var unsent = [UInt64](repeating: 0, count: Unsent.allCases.count)

    /// All zero.
    public init() {}

    /// Changes that were not sent for that reason.
    public subscript(reason: Unsent) -> UInt64 { unsent[PeerCounts.place(of: reason)] }

    mutating func count(_ reason: Unsent) { unsent[PeerCounts.place(of: reason)] += 1 }

    private static func place(of reason: Unsent) -> Int {
        switch reason {
        case .notWanted: 0
        case .superseded: 1
        case .cancelledOut: 2
        case .largeRoom: 3
        case .silent: 4
        case .optedOut: 5
        }
    }
}
