import ArgumentParser
import ClientGateway
import Foundation
import PresenceModel

/// `presenced token …`: access tokens of a server that runs by itself. A running server takes changes up at once.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke access tokens.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Options: ParsableArguments {
        @Option(help: "The configuration file, in YAML; without one, ./presenced-data is looked at.")
        var config: String?

        @Flag(help: "Print JSON.")
        var json = false

        func load() throws -> (configuration: ServerConfiguration, file: TokenFile) {
            let configuration = try ConfigurationFile.load(config)
            return (configuration, TokenFile(path: configuration.tokenFilePath))
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make an access token; it is shown this once.",
            discussion: "A token that the same device had is replaced.")

        @OptionGroup var options: Options

        @Argument(help: "@localpart:server, or the localpart alone.")
        var user: String

        @Option(help: "The device; without one a new id is made.")
        var device: String?

        func run() throws {
            let (configuration, file) = try options.load()
            let user = try TokenCommand.user(user, at: configuration.serverName)
            let device = try device.map { try TokenCommand.device($0) }
            let issued = try TokenCommand.reporting { () throws(TokenFileError) in
                try file.create(user: user, device: device, at: TokenCommand.now)
            }
            if options.json {
                try TokenCommand.printJSON([
                    "user_id": issued.key.user.text, "device_id": issued.key.device.text,
                    "access_token": issued.token.text,
                ])
            } else {
                print("user_id:      \(issued.key.user)")
                print("device_id:    \(issued.key.device)")
                print("access_token: \(issued.token.text)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the devices that have a token.")

        @OptionGroup var options: Options

        func run() throws {
            let (_, file) = try options.load()
            let entries = try TokenCommand.reporting { () throws(TokenFileError) in try file.list() }
            if options.json {
                try TokenCommand.printJSON(
                    entries.map {
                        [
                            "user_id": $0.key.user.text, "device_id": $0.key.device.text,
                            "created": $0.created.dateText,
                        ]
                    })
            } else {
                for entry in entries {
                    print("\(entry.key.user)  \(entry.key.device)  \(entry.created.dateText)")
                }
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke", abstract: "Take back the tokens of a user, or of one device.")

        @OptionGroup var options: Options

        @Argument(help: "@localpart:server, or the localpart alone.")
        var user: String

        @Option(help: "This device only.")
        var device: String?

        func run() throws {
            let (configuration, file) = try options.load()
            let user = try TokenCommand.user(user, at: configuration.serverName)
            let device = try device.map { try TokenCommand.device($0) }
            let count = try TokenCommand.reporting { () throws(TokenFileError) in
                try file.revoke(user: user, device: device)
            }
            if options.json {
                try TokenCommand.printJSON(["revoked": count])
            } else {
                print("revoked: \(count)")
            }
            if count == 0 { throw ExitCode.failure }
        }
    }
}

extension TokenCommand {
    fileprivate static var now: Instant {
        Instant(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }

    fileprivate static func user(_ text: String, at server: ServerName) throws -> UserID {
        let full = text.hasPrefix("@") ? text : "@\(text):\(server)"
        guard let user = try? UserID(parsing: full) else {
            throw ValidationError("'\(text)' is not a user: write @localpart:server, or the localpart alone.")
        }
        guard user.isHosted(by: server) else {
            throw ValidationError("\(user) is not a user of this server, \(server).")
        }
        return user
    }

    fileprivate static func device(_ text: String) throws -> DeviceID {
        guard let device = try? DeviceID(parsing: text) else {
            throw ValidationError("'\(text)' is not a device id: 1 to 255 bytes without control characters.")
        }
        return device
    }

    fileprivate static func reporting<Value>(
        _ operation: () throws(TokenFileError) -> Value
    ) throws -> Value {
        do throws(TokenFileError) {
            return try operation()
        } catch {
            ConfigurationFile.complain("\(error)")
            throw ExitCode.failure
        }
    }

    fileprivate static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
