import ArgumentParser

/// `presence-lab`: for developers of presenced.
@main
struct PresenceLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presence-lab", abstract: "Replay recorded conversations, simulate, and measure.",
        subcommands: [
            ReplayCommand.self, CheckSignaturesCommand.self, SimulateCommand.self, MeasureCommand.self,
            BefriendCommand.self,
        ])
}
