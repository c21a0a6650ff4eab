// What was searched, in a reader's words.

import { safe } from "./safe.js";
import { t } from "./texts.js";

/** Types of FHIR resources → the kind of record that they are. */
const KINDS = {
  AllergyIntolerance: "allergy",
  CarePlan: "careplan",
  Condition: "condition",
  Device: "device",
  DiagnosticReport: "report",
  DocumentReference: "document",
  Encounter: "encounter",
  FamilyMemberHistory: "family",
  Goal: "goal",
  ImagingStudy: "imaging",
  Immunization: "immunization",
  MedicationAdministration: "medication",
  MedicationDispense: "medication",
  MedicationRequest: "medication",
  MedicationStatement: "medication",
  Observation: "measurement",
  Patient: "patient",
  Procedure: "procedure",
  ServiceRequest: "order",
};

/** What a search was for: `Condition?patient=…` → Conditions; the type itself, or the whole query, where it is none of these. */
export function searchedFor(query) {
  const type = /([A-Z][A-Za-z]+)\?/.exec(query)?.[1];
  return KINDS[type] ? t(`timeline.kind.${KINDS[type]}`) : safe(type ?? query);
}

/** What a citation says; of one that stands for a search, what was searched in place of the query. */
export const excerptOf = ({ excerpt, path, reference, inputs }) =>
  reference || inputs.length || !excerpt.startsWith(path) ? safe(excerpt) : searchedFor(path) + safe(excerpt.slice(path.length));
