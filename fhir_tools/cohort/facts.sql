-- Rows of the shipped views → one table of facts, by the rules of fhir_tools.facts (standing, time, value).
-- Run once, on DuckDB, when a cohort is loaded. `day` is the calendar date as written; `moment` the instant in UTC.
create macro lead(s) as case length(s) when 4 then s || '-01-01' when 7 then s || '-01' else s end;
create macro day_of(s) as try_cast(left(lead(s), 10) as date);
create macro moment_of(s) as case when length(s) <= 10 then try_cast(lead(s) as timestamp)
  else coalesce(try_cast(try_cast(s as timestamptz) as timestamp), try_cast(left(s, 10) as timestamp)) end;
create macro last_of(s) as case length(s) when 4 then try_cast(s || '-12-31' as date)
  when 7 then last_day(day_of(s)) else day_of(s) end;
create macro said_of(text, display, code) as
  coalesce(nullif(trim(text), ''), nullif(trim(display), ''), nullif(trim(code), ''));
create macro key_of(system, code, label) as
  case when code is not null then coalesce(system, '') || '|' || code else 'text|' || lower(label) end;
create macro verified(word) as case lower(word) when 'entered-in-error' then 'error' when 'refuted' then 'refuted'
  when 'unconfirmed' then 'unconfirmed' when 'provisional' then 'unconfirmed' when 'differential' then 'unconfirmed' else 'fact' end;
create macro drug_standing(status, stopped, intent) as case
  when status = 'entered-in-error' then 'error'
  when status in ('draft', 'intended', 'preparation') then 'planned'
  when status = 'cancelled' then 'cancelled'
  when status in ('not-done', 'declined', 'not-taken') or stopped then 'not-done'
  when intent in ('proposal', 'plan') then 'planned' else 'fact' end;
create macro result_standing(status) as case status when 'entered-in-error' then 'error' when 'cancelled' then 'cancelled'
  when 'registered' then 'planned' else 'fact' end;
create macro flags_of(texts, displays, codes) as
  lower(array_to_string(case when len(texts) > 0 then texts when len(displays) > 0 then displays else codes end, ','));

create table drugs as
with every as (
  select 'MedicationRequest' as type, 'order' as role, id, patient_id, encounter_id, status,
    drug_standing(status, do_not_perform, intent) as standing, authored_on as start, null as finish,
    case when repeats > 0 and repeats = len(bounds_ends) + len(bounds_lengths) then list_max(list_concat(
      list_transform(bounds_ends, lambda x: last_of(x)),
      list_transform(list_zip(bounds_lengths, bounds_units), lambda z: try_cast((day_of(authored_on) + case z[2]
        when 'h' then to_hours(1) when 'd' then to_days(1) when 'wk' then to_days(7) when 'mo' then to_months(1) when 'a' then to_months(12)
        else null end * cast(z[1] as integer)) - case when length(authored_on) > 10 then to_days(0) else to_days(1) end as date)))) end as ends,
    last_of(valid_end) as valid, categories, medication_text, medication_system, medication_code, medication_display, medication_codes,
    medication_systems, medication_id, medication_reference, medication_reference_display, contained_text, contained_system, contained_code, contained_display,
    contained_codes, contained_systems from medication_request
  union all by name select 'MedicationStatement' as type, 'statement' as role, id, patient_id, encounter_id, status,
    drug_standing(status, false, '') as standing, coalesce(effective, effective_start, date_asserted) as start, effective_end as finish,
    last_of(effective_end) as ends, null as valid, categories, columns('medication_.*|contained_.*') from medication_statement
  union all by name select 'MedicationAdministration' as type, 'administration' as role, id, patient_id, encounter_id, status,
    drug_standing(status, false, '') as standing, coalesce(effective, effective_start) as start, effective_end as finish,
    null as ends, null as valid, categories, columns('medication_.*|contained_.*') from medication_administration
  union all by name select 'MedicationDispense' as type, 'dispense' as role, id, patient_id, encounter_id, status,
    drug_standing(status, false, '') as standing, coalesce(when_handed_over, when_prepared) as start, null as finish,
    null as ends, null as valid, categories, columns('medication_.*|contained_.*') from medication_dispense
), named as (
  select e.*, case when medication_code is not null or medication_text is not null or medication_display is not null then 'own'
    when medication_reference like '#%' then 'contained' when m.id is not null then 'linked' else 'none' end as held,
    m.code_text as drug_text, m.code_system as drug_system, m.code_code as drug_code, m.code_display as drug_display, m.code_codes as drug_codes, m.code_systems as drug_systems
  from every e left join medication m on m.id = e.medication_id
)
select type, role, n.id, n.patient_id, n.encounter_id, n.status, standing, start, finish, ends, valid, categories,
  case held when 'own' then said_of(medication_text, medication_display, medication_code)
    when 'contained' then said_of(contained_text, contained_display, coalesce(contained_code, medication_reference_display))
    when 'linked' then said_of(drug_text, drug_display, drug_code) else medication_reference_display end as label,
  case held when 'own' then medication_system when 'contained' then contained_system when 'linked' then drug_system end as system,
  case held when 'own' then medication_code when 'contained' then contained_code when 'linked' then drug_code end as code,
  case held when 'own' then medication_codes when 'contained' then contained_codes when 'linked' then drug_codes end as codes,
  case held when 'own' then medication_systems when 'contained' then contained_systems when 'linked' then drug_systems end as systems,
  list_contains(categories, 'inpatient') as inpatient, last_of(s.period_end) as stay_end, s.status = 'finished' as stay_over
from named n left join encounter s on s.id = n.encounter_id;

create table raw as
select 'condition' as kind, 'Condition' as type, id, patient_id,
  verified(coalesce(verification_status, verification_status_other, verification_status_text)) as standing,
  coalesce(clinical_status, clinical_status_other, lower(clinical_status_text), case when abatement is not null or abatement_start is not null
    or abatement_end is not null or abatement_age is not null or abatement_string is not null or abatement_boolean then 'resolved' else '' end) as status,
  coalesce(onset, onset_start, recorded_date) as start, case when onset is null then onset_end end as finish,
  said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes, code_systems as systems,
  coalesce(abatement is not null or abatement_start is not null or abatement_end is not null or abatement_age is not null
    or abatement_string is not null or abatement_boolean, false) as ended, moment_of(coalesce(abatement, abatement_start)) as ended_at
from condition
union all by name select 'allergy' as kind, 'AllergyIntolerance' as type, id, patient_id,
  verified(coalesce(verification_status, verification_status_other, verification_status_text)) as standing,
  coalesce(clinical_status, clinical_status_other, lower(clinical_status_text), '') as status,
  coalesce(onset, onset_start, recorded_date) as start,
  coalesce(said_of(code_text, code_display, code_code), said_of(substance_text, substance_display, substance_code)) as label,
  coalesce(code_system, case when code_text is null then substance_system end) as system, coalesce(code_code, case when code_text is null then substance_code end) as code,
  case when len(code_codes) > 0 then code_codes else substance_codes end as codes, case when len(code_codes) > 0 then code_systems else substance_systems end as systems
from allergy_intolerance
union all by name select 'medication' as kind, type, id, patient_id, standing, coalesce(status, '') as status, start, finish, label, system, code,
  codes, systems, role, ends, valid, coalesce(inpatient, false) as inpatient, stay_end, coalesce(stay_over, false) as stay_over, encounter_id from drugs
union all by name select 'procedure' as kind, 'Procedure' as type, id, patient_id, case status when 'entered-in-error' then 'error'
  when 'preparation' then 'planned' when 'not-done' then 'not-done' else 'fact' end as standing, status, coalesce(performed, performed_start) as start,
  performed_end as finish, said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes, code_systems as systems from procedure
union all by name select 'immunization' as kind, 'Immunization' as type, id, patient_id, case status when 'entered-in-error' then 'error'
  when 'not-done' then 'not-done' else 'fact' end as standing, status, occurrence as start, said_of(code_text, code_display, code_code) as label,
  code_system as system, code_code as code, code_codes as codes, code_systems as systems from immunization
union all by name select 'encounter' as kind, 'Encounter' as type, id, patient_id, case status when 'entered-in-error' then 'error'
  when 'planned' then 'planned' when 'cancelled' then 'cancelled' else 'fact' end as standing, status, period_start as start, period_end as finish,
  coalesce(said_of(code_text, code_display, code_code), class_display, class_code, 'encounter') as label, code_system as system, code_code as code,
  code_codes as codes, code_systems as systems, class_code as class, period_end is null as open from encounter
union all by name select 'report' as kind, 'DiagnosticReport' as type, id, patient_id, result_standing(status) as standing, status,
  coalesce(effective, effective_start, issued) as start, effective_end as finish, said_of(code_text, code_display, code_code) as label, code_system as system,
  code_code as code, code_codes as codes, code_systems as systems from diagnostic_report
union all by name select 'imaging' as kind, 'ImagingStudy' as type, id, patient_id, case status when 'entered-in-error' then 'error'
  when 'cancelled' then 'cancelled' when 'registered' then 'planned' else 'fact' end as standing, status, started as start,
  coalesce(said_of(code_text, code_display, code_code), description, array_to_string(modalities, ', ')) as label, code_system as system, code_code as code,
  code_codes as codes, code_systems as systems from imaging_study
union all by name select 'family' as kind, 'FamilyMemberHistory' as type, id, patient_id, case status when 'entered-in-error' then 'error' else 'fact' end as standing,
  status, date as start, said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes,
  code_systems as systems, lower(coalesce(said_of(relationship_text, relationship_display, relationship_code), 'relative')) as relative from family_member_history
union all by name select 'device' as kind, 'Device' as type, id, patient_id, case status when 'entered-in-error' then 'error' else 'fact' end as standing, status,
  manufacture_date as start, said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes, code_systems as systems from device
union all by name select case when list_contains(categories, 'social-history') then 'social' else 'measurement' end as kind, 'Observation' as type, id, patient_id,
  result_standing(status) as standing, status, coalesce(effective, effective_start, effective_instant, issued) as start, effective_end as finish,
  said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes, code_systems as systems,
  coalesce(value, cast(value_integer as double), systolic) as value, case when value is not null then unit else systolic_unit end as unit,
  case when value is not null then case when unit_system is null or unit_system = 'http://unitsofmeasure.org' then ucum end else systolic_ucum end as ucum, comparator,
  coalesce(said_of(value_text, value_display, value_code), value_string) as said,
  value is not null or value_integer is not null or value_boolean is not null or value_date is not null or coalesce(value_text, value_display, value_code, value_string) is not null
    or coalesce(components, 0) > 0 as valued,
  flags_of(interpretation_texts, interpretation_displays, interpretation_codes) as flags, range_text, range_low, range_high from observation
union all by name select case when list_contains(categories, 'social-history') then 'social' else 'measurement' end as kind, 'Observation' as type, id, patient_id,
  result_standing(status) as standing, status, coalesce(effective, effective_start, effective_instant, issued) as start, effective_end as finish,
  said_of(code_text, code_display, code_code) as label, code_system as system, code_code as code, code_codes as codes, code_systems as systems,
  coalesce(value, cast(value_integer as double)) as value, unit, case when unit_system is null or unit_system = 'http://unitsofmeasure.org' then ucum end as ucum, comparator,
  coalesce(said_of(value_text, value_display, value_code), value_string) as said,
  value is not null or value_integer is not null or value_boolean is not null or value_date is not null or coalesce(value_text, value_display, value_code, value_string) is not null as valued,
  flags_of(interpretation_texts, interpretation_displays, interpretation_codes) as flags, range_text, range_low, range_high from observation_component;

create table plain as
select patient_id as patient, kind, type, id, key_of(system, code, coalesce(label, 'unnamed ' || type)) || case when kind = 'encounter' then '#' || coalesce(class, '') else '' end as key,
  coalesce(label, 'unnamed ' || type) as label, codes, systems, standing, coalesce(status, '') as status, moment_of(start) as moment, day_of(start) as day, last_of(start) as start_last,
  case when finish is not null then last_of(finish) when type in ('Encounter') and start is not null then null else last_of(start) end as last,
  length(start) < 10 as coarse, coalesce(open, false) as open, value, unit, ucum, comparator, said, coalesce(valued, false) as valued, flags, range_text, range_low, range_high,
  coalesce(ended, false) as ended, ended_at, coalesce(relative, '') as relative, coalesce(role, '') as role, ends, valid, coalesce(inpatient, false) as inpatient,
  stay_end, coalesce(stay_over, false) as stay_over, coalesce(class, '') as class
from raw where patient_id is not null;

-- Few concepts, many facts: what a name means is decided over these rows, and the facts are found by number.
create table concepts as
select row_number() over (order by kind, key, label, codes, systems) as concept, * from
  (select distinct kind, key, label, codes, systems, class from plain);

create table facts as
select c.concept, p.* exclude (label, codes, systems, class) from plain p
join concepts c on c.kind = p.kind and c.key = p.key and c.label = p.label and c.class = p.class
  and c.codes is not distinct from p.codes and c.systems is not distinct from p.systems
order by concept, patient;


create table people as
select id as patient, gender, day_of(birth_date) as born_first, last_of(birth_date) as born_last,
  coalesce(deceased, false) or deceased_at is not null as dead, day_of(deceased_at) as died,
  coalesce(name_text, trim(coalesce(given, '') || ' ' || coalesce(family, ''))) as name
from patient order by id;
