import ArgumentParser

/// The command line.
@main
struct Presenced: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "presenced",
        abstract: "Gives a Matrix homeserver its presence back.",
        version: version,
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, GenerateKeyCommand.self, RotateKeyCommand.self,
            GenerateRegistrationCommand.self, TokenCommand.self, ExplainCommand.self, PeersCommand.self,
            DemoCommand.self, DoctorCommand.self, SocialCommand.self, BridgeCommand.self,
        ])
}
