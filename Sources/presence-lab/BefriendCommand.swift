import ArgumentParser
import Foundation
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialEngine
import SocialService

/// `presence-lab befriend`: makes friendships without end, many at once, and says which are acknowledged. For tests that
/// kill it.
struct BefriendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "befriend", abstract: "Make friendships until killed.", shouldDisplay: false)

    @Option(help: "The database.")
    var store: String

    @Option(help: "Friendships under way at once, 1 to 1000.")
    var lanes = 8

    func run() async throws {
        let store = try PresenceStore(path: store)
        var configuration = SocialEngine.Configuration()
        configuration.makesRooms = false
        configuration.newcomersPerMinute = .max
        let wall = Int64(Date().timeIntervalSince1970 * 1000)
        let runtime = SocialRuntime(
            engine: SocialEngine(process: 1, configuration: configuration),
            clock: AnchoredClock(wallMilliseconds: wall), journal: store)
        await runtime.start(from: try store.loadSocial())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<lanes { group.addTask { try await BefriendCommand.befriend(lane, lanes, runtime) } }
            try await group.waitForAll()
        }
    }

    private static func befriend(_ lane: Int, _ lanes: Int, _ runtime: SocialRuntime) async throws {
        var number = lane
        while true {
            let one = try SocialAddress(parsing: "one\(number)")
            let other = try SocialAddress(parsing: "other\(number)")
            _ = try await runtime.act(.request(message: "hello"), by: one, towards: other)
            _ = try await runtime.act(.accept, by: other, towards: one)
            // At once, and as a whole: what is said is on disk.
            FileHandle.standardOutput.write(Data("friends \(number) \(one) \(other).\n".utf8))
            number += lanes
        }
    }
}
