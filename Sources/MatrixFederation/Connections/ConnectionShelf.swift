import PresenceModel
import Synchronization

/// Connections that nobody uses at this moment, by the server they lead to.
///
/// At most ``limit`` in all and ``limitPerServer`` of one server; a further one is closed. What is closed by the other
/// side, or after a while, is taken out.
final class ConnectionShelf: Sendable {
    static let limit = 1000
    static let limitPerServer = 2

    private struct State {
        var connections: [ServerName: [Connection]] = [:]
        var count = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    /// The connection put back last, if one of the server is open.
    func take(_ server: ServerName) -> Connection? {
        state.withLock { state in
            while let last = state.connections[server]?.popLast() {
                state.count -= 1
                if state.connections[server]?.isEmpty == true { state.connections[server] = nil }
                if last.isOpen { return last }
            }
            return nil
        }
    }

    /// To be told once of each new connection, so that it is taken out when it is closed.
    func follow(_ connection: Connection, of server: ServerName) {
        connection.closed.whenComplete { [weak self] _ in self?.forget(connection.id, of: server) }
    }

    func putBack(_ connection: Connection, of server: ServerName) {
        let isKept = state.withLock { state in
            guard connection.isOpen, !state.isClosed, state.count < Self.limit,
                state.connections[server, default: []].count < Self.limitPerServer
            else { return false }
            state.count += 1
            state.connections[server, default: []].append(connection)
            return true
        }
        // What was closed in between is found by take(_:) or follow(_:of:).
        if !isKept { connection.close() }
    }

    private func forget(_ id: ObjectIdentifier, of server: ServerName) {
        state.withLock { state in
            guard let index = state.connections[server]?.firstIndex(where: { $0.id == id }) else { return }
            state.connections[server]?.remove(at: index)
            state.count -= 1
            if state.connections[server]?.isEmpty == true { state.connections[server] = nil }
        }
    }

    /// Closes them all; what is put back from now on is closed too.
    func close() {
        let all = state.withLock { state -> [Connection] in
            state.isClosed = true
            return state.connections.values.flatMap(\.self)
        }
        for connection in all { connection.close() }
    }
}
