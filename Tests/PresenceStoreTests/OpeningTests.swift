import Foundation
import GRDB
import Testing

@testable import PresenceStore

@Suite(.timeLimit(.minutes(1))) struct OpeningTests {
    private let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    private func code(opening adjust: (inout PresenceStore.Configuration) -> Void = { _ in }) -> PresenceStoreError? {
        #expect(throws: PresenceStoreError.self) { _ = try folder.open(.patient, adjust) }
    }

    private func prepareFolder() throws {
        let parent = URL(fileURLWithPath: folder.path).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    }

    @Test func `folder and files are the owner's alone`() async throws {
        let store = try folder.open()
        store.append([try status("a", nil)])
        try await store.settle()
        for suffix in ["", "-wal", "-shm", ".lock"] { #expect(try StoreFolder.mode(of: folder.path + suffix) == 0o600) }
        let parent = URL(fileURLWithPath: folder.path).deletingLastPathComponent().path
        #expect(try StoreFolder.mode(of: parent) == 0o700)
        try await store.close()
    }

    @Test(arguments: PresenceStore.Configuration.Synchronous.allCases)
    func `the file is in the mode asked for, after a boot too`(mode: PresenceStore.Configuration.Synchronous)
        async throws
    {
        let store = try folder.open(.patient) { $0.synchronous = mode }
        _ = try store.nextBoot()
        let (journal, synchronous) = try await store.database.writeWithoutTransaction { database in
            (
                try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                try Int.fetchOne(database, sql: "PRAGMA synchronous")
            )
        }
        #expect(journal == "wal")
        #expect(synchronous == (mode == .full ? 2 : 1))
        try await store.close()
    }

    @Test func `the boot number rises over reopenings`() async throws {
        for expected in UInt64(1)...4 {
            let store = try folder.open()
            #expect(try store.nextBoot() == expected)
            let onDisk = try await folder.stranger().read { try UInt64.fetchOne($0, sql: "SELECT value FROM meta") }
            #expect(onDisk == expected)
            try await store.close()
        }
    }

    @Test func `a second store is refused and told which file, until the first is closed`() async throws {
        let store = try folder.open()
        let error = code()
        #expect(error?.code == .locked)
        #expect(error?.path == folder.path)
        #expect(error?.message.contains(folder.path + ".lock") == true)
        try await store.close()
        try await folder.open().close()
    }

    @Test func `a store that was dropped lets go of its lock`() throws {
        do { _ = try folder.open() }
        _ = try folder.open()
    }

    @Test func `a file that is not a database is refused and left as it is`() throws {
        try prepareFolder()
        let bytes = Data(repeating: 0x41, count: 8192)
        try bytes.write(to: URL(fileURLWithPath: folder.path))
        #expect(code()?.code == .notADatabase)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path)) == bytes)
    }

    @Test func `the database of another program is refused and left as it is`() throws {
        try prepareFolder()
        try folder.stranger().write { try $0.execute(sql: "CREATE TABLE users (name TEXT)") }
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path))
        #expect(code()?.code == .notADatabase)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path)) == before)
    }

    @Test func `a file of a later version is refused, and its news are named`() async throws {
        try await folder.open().close()
        try await folder.stranger().write { database in
            try database.execute(sql: "INSERT INTO grdb_migrations VALUES ('3: friends')")
        }
        let error = code()
        #expect(error?.code == .newerVersion)
        #expect(error?.message.contains("3: friends") == true)
    }

    @Test func `a file that another program holds is refused after the busy limit`() async throws {
        try await folder.open().close()
        var configuration = GRDB.Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA locking_mode = EXCLUSIVE") }
        let stranger = try DatabaseQueue(path: folder.path, configuration: configuration)
        try await stranger.write { try $0.execute(sql: "UPDATE meta SET value = value") }
        #expect(code { $0.busyLimit = .zero }?.code == .locked)
        try stranger.close()
        try await folder.open().close()
    }

    @Test func `a path through a file, or to a folder, is unusable`() throws {
        try prepareFolder()
        let parent = URL(fileURLWithPath: folder.path).deletingLastPathComponent()
        try Data().write(to: parent.appendingPathComponent("file"))
        let through = #expect(throws: PresenceStoreError.self) {
            _ = try PresenceStore(path: parent.appendingPathComponent("file/presenced.db").path)
        }
        let to = #expect(throws: PresenceStoreError.self) { _ = try PresenceStore(path: parent.path) }
        #expect(through?.code == .unusable)
        #expect(to?.code == .unusable)
    }
}
