import ArgumentParser

/// `presenced check-config FILE`: says what is wrong with a file, or what holds under it.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config", abstract: "Read a configuration file without starting.")

    @Argument(help: "The configuration file, in YAML.")
    var file: String

    @Flag(help: "Also print every setting that holds.")
    var all = false

    func run() throws {
        let reading = try ConfigurationFile.read(file)
        for note in reading.notes { print("note: \(note)") }
        if all {
            for key in ConfigurationKey.all { print("\(key.path): \(key.text(reading.configuration))") }
        }
        print("\(file): good")
    }
}
