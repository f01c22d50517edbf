import FederationEngine
import Foundation
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import PresenceStore

typealias Record = PresenceInstance.Record

/// A folder of its own with one store's file, gone with the last reference.
final class StoreFolder: Sendable {
    private let root: URL
    let path: String

    init() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("presenced-store-\(UUID().uuidString)")
        path = root.appendingPathComponent("state").appendingPathComponent("presenced.db").path
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func open(
        _ surroundings: PresenceStore.Surroundings = .patient,
        _ adjust: (inout PresenceStore.Configuration) -> Void = { _ in }
    ) throws -> PresenceStore {
        var configuration = PresenceStore.Configuration()
        adjust(&configuration)
        return try PresenceStore(path: path, configuration: configuration, surroundings: surroundings)
    }

    /// Writes `groups`, each settled, closes, opens again and loads.
    func reopened(after groups: [Record]...) async throws -> PresenceInstance.Snapshot {
        let store = try open()
        for group in groups {
            store.append(group)
            try await store.settle()
        }
        try await store.close()
        let again = try open()
        let snapshot = try again.load { Issue.record("skipped \($0)") }
        try await again.close()
        return snapshot
    }

    /// A plain connection beside the store's own, as another program would open.
    func stranger() throws -> DatabaseQueue { try StoreFolder.stranger(at: path) }

    private static func stranger(at path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// User to status text of all local users, read by a plain connection.
    func texts() throws -> [String: String] { try StoreFolder.texts(at: path) }

    static func texts(at path: String) throws -> [String: String] {
        try stranger(at: path).read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT user, status_text FROM local_status")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as String, ($0[1] as String?) ?? "") })
        }
    }

    /// Copies the file and its log as they lie there: what a crash at this instant would leave.
    func crashed() throws -> String {
        let copy = root.appendingPathComponent("crashed-\(UUID().uuidString).db").path
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        return copy
    }

    static func mode(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}

extension PresenceStore.Surroundings {
    /// The write-behind never comes.
    static let patient = PresenceStore.Surroundings(delay: { _ in
        let (never, continuation) = AsyncStream.makeStream(of: Void.self)
        for await _ in never {}
        _ = continuation
    })

    /// As ``patient``; `fails` says which transactions do.
    static func failing(_ fails: @escaping @Sendable (UInt64) -> Bool) -> PresenceStore.Surroundings {
        var surroundings = patient
        surroundings.beforeCommit = { number in
            if fails(number) { throw DatabaseError(resultCode: .SQLITE_IOERR, message: "disk I/O error") }
        }
        return surroundings
    }
}

func user(_ text: String) throws -> UserID { try UserID(parsing: text) }

func server(_ text: String) throws -> ServerName { try ServerName(parsing: text) }

func room(_ text: String) throws -> RoomID { try RoomID(parsing: text) }

func group(_ text: String) throws -> GroupName { try GroupName(parsing: text) }

func instant(_ milliseconds: Int64) -> Instant { Instant(millisecondsSinceEpoch: milliseconds) }

/// An accepted entry with nothing else.
func entry(_ observer: String, _ observed: String) throws -> Record {
    let entry = StoredEntry(state: .accepted, request: 1, since: instant(1))
    return .presence(.entry(observer: try user(observer), observed: try user(observed), entry))
}

/// A row of `@name:x`.
func status(_ name: String, _ text: String?) throws -> Record {
    let status = StoredStatus(
        chosen: .busy, statusText: text, lastActive: instant(1_000), lastSeen: instant(2_000), isConnected: true)
    return .presence(.status(try user("@\(name):x"), status))
}

extension PresenceStore {
    /// Opened again by another store would be the same; this one need not be closed for it.
    func loadedTexts() throws -> [String: String] {
        let statuses = try load().presence.statuses
        return Dictionary(uniqueKeysWithValues: statuses.map { ($0.user.text, $0.status.statusText ?? "") })
    }
}
