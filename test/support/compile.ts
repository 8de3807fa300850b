/** Compiles texts as modules of this project. */
import { fileURLToPath } from "node:url"
import ts from "typescript"

const project = fileURLToPath(new URL("../..", import.meta.url))

/**
 * The compiler's complaints, each with its module. What is declared and not used is none.
 *
 * @param modules their texts by their names
 */
export const complaintsAbout = (modules: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const texts = new Map([...modules].map(([name, text]) => [`${project}${name}.ts`, text]))
  const { config } = ts.readConfigFile(`${project}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, project)
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (path) => texts.has(path) || fileExists(path)
  host.readFile = (path) => texts.get(path) ?? readFile(path)
  const program = ts.createProgram([...texts.keys()], { ...options, noEmit: true, noUnusedLocals: false }, host)
  return program
    .getSourceFiles()
    .filter(({ fileName }) => texts.has(fileName))
    .flatMap((file) =>
      [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
        ({ messageText }) =>
          `${file.fileName.slice(project.length)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}\n${file.text}`
      )
    )
}
